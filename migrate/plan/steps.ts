import { istiodDeployment } from '../istiod-deployment.ts';
import { formatHostPort } from '../../src/net/address.ts';
import type { Finding } from '../finding.ts';
import { isLegacy } from '../scan/address.ts';
import type { MeshConfig } from '../scan/mesh-config.ts';
import type { Scanned } from '../scan/scan.ts';
import { xdsOnlyMinor } from '../version.ts';
import {
  type BridgePlace,
  describeSources,
  gateOf,
  kubectlOf,
  podXdsPort,
  serviceOf,
  startBridge,
} from './bridge-steps.ts';
import { quote, type Step } from './step.ts';

/** What the steps are made of. */
export type Journey = BridgePlace & {
  readonly scanned: Scanned;
  readonly findings: readonly Finding[];
  /** The one that is moved. */
  readonly mesh: MeshConfig;
};

/** Findings that the patch of the mesh config mends, or that say nothing to do beforehand. */
const mended = new Set(
  (
    'ADDRESS_LEGACY ADDRESS_BARE_IP ADDRESS_SCHEME KUBERNETES_SOURCE_MISSING SUBSCRIBED_RESOURCES ' +
    'MESH_CONFIG_MANAGED GALLEY_LEFTOVER WEBHOOK_LEFTOVER MIXER_LEFTOVER VERSION_SKIP HELM_VALUE_REMOVED'
  ).split(' '),
);

/** All steps for this configuration, in their order. */
export function stepsOf(journey: Journey): Step[] {
  return [
    save(journey),
    ...prepare(journey),
    describeSources(journey.mesh, journey),
    startBridge(journey),
    ...(isLive(journey) ? [lookAtPatch(journey), applyPatch(journey)] : [patch(journey), apply(journey)]),
    restart(journey),
    verify(journey),
    watch(),
    ...cleanUp(journey),
  ];
}

const namespaceOf = ({ mesh }: Journey): string => mesh.object?.namespace || 'istio-system';

/** True where the Pilot that runs now can't read what the patch writes. */
const isUpgrade = ({ scanned: { from } }: Journey): boolean => from !== undefined && from.minor < xdsOnlyMinor;

const istiodOf = ({ mesh }: Journey): string => istiodDeployment(mesh.revision);

/** A ConfigMap is patched in the cluster itself; what an operator installs from becomes a file first. */
const isLive = ({ cluster, mesh }: Journey): boolean => cluster !== undefined && mesh.kind === 'configMap';

function fileOf({ cluster, mesh }: Journey): string {
  if (cluster === undefined) return mesh.file;
  return `${[mesh.object?.kind, mesh.object?.name].join('-').toLowerCase()}.yaml`;
}

function files(journey: Journey) {
  const file = fileOf(journey);
  return { before: quote(file), after: quote(`${file}.new`), backup: quote(`${file}.backup`) };
}

/** Says what the plan was made of, as it is now. */
function analyzeAgain(journey: Journey, file: string): string {
  const what = isLive(journey) ? (journey.cluster?.isthmus ?? '') : ` ${file}`;
  return `isthmus migrate analyze${what}${versionFlags(journey)}`;
}

function versionFlags({ scanned: { from, target } }: Journey): string {
  return [from && ` --from-version ${quote(from.text)}`, target && ` --to-version ${quote(target.text)}`]
    .filter((flag) => flag !== undefined)
    .join('');
}

function save(journey: Journey): Step {
  const { mesh, cluster } = journey;
  const { before } = files(journey);
  const namespace = quote(namespaceOf(journey));
  const isConfigMap = mesh.kind === 'configMap' && mesh.object !== undefined;
  const name = quote(mesh.object?.name ?? '');
  const saved = cluster === undefined ? quote(`${mesh.file}.live`) : before;
  const kind = quote(mesh.object?.kind.toLowerCase() ?? '');
  const isOfCluster = isConfigMap || cluster !== undefined;
  return {
    id: 'save',
    title: 'Keep what is there now',
    notes: [
      isOfCluster
        ? 'From the cluster itself, in case that the file is older. Commit it, or put it where it is found again.'
        : 'Commit it, or put a copy where it is found again.',
    ],
    commands: isOfCluster
      ? [`${kubectlOf(journey)} -n ${namespace} get ${kind} ${name} -o yaml > ${saved}`]
      : [`cp ${before} ${quote(`${mesh.file}.before`)}`],
    check: {
      command: analyzeAgain(journey, isOfCluster ? saved : before),
      expect: 'the findings that this plan was made of; if they are others, make the plan anew',
    },
    back: ['Nothing was changed.'],
  };
}

/** What is wrong and no edit of configSources mends. */
function prepare(journey: Journey): Step[] {
  // The patch takes the TLS settings of the entries away that it replaces.
  const keepsTls = journey.mesh.sources.some(({ tls, address }) => tls !== undefined && !isLegacy(address));
  const isMended = (code: string): boolean => mended.has(code) || (code.startsWith('TLS_') && !keepsTls);
  const open = journey.findings.filter(({ code, severity }) => severity !== 'info' && !isMended(code));
  if (open.length === 0) return [];
  const shown = open
    .slice(0, 20)
    .map(({ file, line, code, message, fix }) => `${file}:${line} ${code}: ${message}. To do: ${fix}.`);
  const more =
    open.length > shown.length ? [`And ${open.length - shown.length} more: see isthmus migrate analyze.`] : [];
  const galley = isGalleyLeft(journey) ? ', but for GALLEY_AND_KUBERNETES: the step patch says what to do there' : '';
  return [
    {
      id: 'prepare',
      title: 'Mend what the new mesh config does not',
      notes: [...shown, ...more],
      commands: [],
      check: {
        command: analyzeAgain(journey, files(journey).before),
        expect: `none of these codes any more${galley}`,
      },
      back: ['That of each change.'],
    },
  ];
}

/** The command that patches the ConfigMap of the cluster, without what makes it write. */
function patchCommand({ bridge, mesh, scanned, cluster }: Journey): string {
  const name = mesh.object?.name ?? 'istio';
  const named = name === 'istio' ? '' : ` --name ${quote(name)}`;
  const version = scanned.target === undefined ? '' : ` --to-version ${quote(scanned.target.text)}`;
  return `isthmus migrate patch --bridge ${quote(formatHostPort(bridge))}${named}${cluster?.isthmus ?? ''}${version}`;
}

const isGalleyLeft = ({ findings }: Journey): boolean => findings.some(({ code }) => code === 'GALLEY_AND_KUBERNETES');

/** What to look at in the patch. */
function patchNotes(journey: Journey, first: string): string[] {
  const notes = [`${first} Only configSources is edited.`];
  if (isGalleyLeft(journey)) {
    notes.push(
      'GALLEY_AND_KUBERNETES: with Galley in isthmus.yaml and k8s:// in this list, istiod has each resource twice. Where Galley reads Kubernetes, and no files, take it out of isthmus.yaml; or add --no-k8s to the command for as long as it stays. Where it is the only source, no bridge is needed: write k8s:// in its place by hand, and leave the steps of the bridge out.',
    );
  }
  return notes;
}

function lookAtPatch(journey: Journey): Step {
  return {
    id: 'patch',
    title: 'Look at the new mesh config',
    notes: patchNotes(journey, 'Nothing is written yet.'),
    commands: [patchCommand(journey)],
    check: { command: undefined, expect: 'exit code 0, and a diff that you agree with; mind its warnings' },
    back: ['Nothing was changed.'],
  };
}

function applyPatch(journey: Journey): Step {
  const { backup } = files(journey);
  return {
    id: 'apply',
    title: 'Give the new mesh config to the cluster',
    notes: [
      ...applyNotes(journey),
      'It is written only if nobody has changed the ConfigMap meanwhile. Where Helm, an operator or GitOps makes it, change that too, or it comes back.',
    ],
    commands: [`${patchCommand(journey)} --apply --backup ${backup}`],
    check: { command: analyzeAgain(journey, ''), expect: 'no ADDRESS_… error is left' },
    back: [`isthmus migrate rollback --backup ${backup}${journey.cluster?.isthmus ?? ''} --apply`],
  };
}

/** What to mind where an istiod of another version reads the same ConfigMap. */
function applyNotes(journey: Journey, isInstalled = false): string[] {
  const { mesh, scanned } = journey;
  const { from, target, values } = scanned;
  const first = isInstalled
    ? `This is the upgrade: do it with the istioctl or the charts of ${target?.text ?? 'the new version'}, and the way back with those of ${from?.text ?? 'the old one'}.`
    : 'Nothing happens yet: istiod reads configSources when it starts.';
  if (from === undefined || from.minor >= xdsOnlyMinor) return [first];
  const isTagged = values.some(({ version, versionAt }) => version?.text === from.text && versionAt.file === mesh.file);
  return [
    first,
    ...(isInstalled && isTagged
      ? [
          `The new file still has the tag ${from.text}: write that of the new one there by hand, and on the way back the old one.`,
        ]
      : []),
    `Pilot ${from.text} can’t read it: do not let one start ${isBeforeIstiod(journey) ? 'from here on, until no sidecar needs it' : 'between this step and the next'}. Where the new istiod is a revision beside it, that one reads a ConfigMap of its own, istio-REVISION: write it there, and leave this one as it is until no sidecar needs the old Pilot.`,
  ];
}

function patch(journey: Journey): Step {
  const { before, after, backup } = files(journey);
  const { bridge, scanned } = journey;
  const version = scanned.target === undefined ? '' : ` --to-version ${quote(scanned.target.text)}`;
  return {
    id: 'patch',
    title: 'Write the new mesh config into a file',
    notes: patchNotes(journey, 'Look at the diff that it prints.'),
    commands: [
      `isthmus migrate patch ${before} --bridge ${quote(formatHostPort(bridge))}${version} --out ${after} --backup ${backup}`,
    ],
    check: {
      command: `isthmus migrate analyze ${after}${versionFlags(journey)}`,
      expect: 'no ADDRESS_… error is left',
    },
    back: [`isthmus migrate rollback ${after} --backup ${backup} --out ${before}`],
  };
}

function apply(journey: Journey): Step {
  const { mesh } = journey;
  const { before, after, backup } = files(journey);
  const namespace = quote(namespaceOf(journey));
  const isInstaller = mesh.kind === 'istioOperator' || mesh.kind === 'helmValues';
  // What installs the mesh config installs the new istiod with it, which then starts at once.
  const gate = isUpgrade(journey) && isInstaller ? gateOf(journey) : [];
  const [commands, check] = applyCommands(mesh, namespace, after);
  // What was printed before the change has a resourceVersion that the API server does not take any more.
  const again = `sed '/^ *resourceVersion:/d' ${before} | kubectl -n ${namespace} replace -f -`;
  const undo = mesh.kind === 'configMap' ? [again] : applyCommands(mesh, namespace, before)[0];
  return {
    id: 'apply',
    title: 'Give the new mesh config to the cluster',
    notes: applyNotes(journey, gate.length > 0),
    commands: [...gate, ...commands],
    check: { command: check, expect: `configSources with xds://${formatHostPort(journey.bridge)}` },
    back: [`isthmus migrate rollback ${after} --backup ${backup} --out ${before}`, ...undo],
  };
}

function applyCommands(mesh: MeshConfig, namespace: string, file: string): [string[], string] {
  const name = quote(mesh.object?.name || 'istio');
  const configMap = mesh.kind === 'configMap' ? name : 'istio';
  const check = `kubectl -n ${namespace} get configmap ${configMap} -o jsonpath='{.data.mesh}'`;
  switch (mesh.kind) {
    case 'configMap':
      return [[`kubectl -n ${namespace} replace -f ${file}`], check];
    case 'istioOperator':
      return [[`istioctl install -f ${file}`], check];
    case 'helmValues':
      return [[`helm upgrade istiod istio/istiod -n ${namespace} -f ${file}`], check];
    default:
      return [
        [
          `kubectl -n ${namespace} create configmap istio --from-file=mesh=${file} --dry-run=client -o yaml | kubectl replace -f -`,
        ],
        check,
      ];
  }
}

function restart(journey: Journey): Step {
  const { mesh, scanned } = journey;
  const on = `${kubectlOf(journey)} -n ${quote(namespaceOf(journey))}`;
  const deployment = `deploy/${istiodOf(journey)}`;
  const isByHand = isUpgrade(journey) && (mesh.kind === 'configMap' || mesh.kind === 'meshConfig');
  if (isByHand && isBeforeIstiod(journey)) return installBeside(journey, on);
  const replaced = isByHand ? imageCommands(journey, `${on} set image ${deployment}`) : undefined;
  const gate = gateOf(journey);
  const last = gate.pop() ?? '';
  return {
    id: 'restart',
    title:
      replaced === undefined
        ? 'Restart istiod, one replica at a time, while the bridge is complete'
        : 'Replace Pilot by the new istiod, while the bridge is complete',
    notes: [
      ...(replaced === undefined
        ? []
        : [
            'A restart alone would bring back a Pilot that has nothing to read. Another image is all where the manifests are your own and fit both; else upgrade with what Istio was installed with, in the place of that line.',
          ]),
      ...(scanned.from === undefined && mesh.sources.some(({ address }) => isLegacy(address))
        ? [
            'Where a Pilot up to 1.8 runs now, a restart is not enough: make the plan with --from-version, and it puts the new istiod in its place.',
          ]
        : []),
      readinessNote(journey),
      ...(replaced === undefined
        ? [
            'isthmus migrate restart does the same with a look at what each replica has before the next one: docs/migrate-restart.md.',
          ]
        : []),
    ],
    commands: [
      ...gate,
      `${last} && ${replaced?.forth ?? `${on} rollout restart ${deployment}`}`,
      `${on} rollout status ${deployment} --timeout=10m`,
    ],
    check: {
      command: statusCommand(journey),
      expect: 'every istiod is among the streams, and nothing waits',
    },
    back: [
      'The way back of the step before, then:',
      replaced?.back ?? `${on} rollout restart ${deployment}`,
      `${on} rollout status ${deployment} --timeout=10m`,
    ],
  };
}

/** Whether a replica waits for the bridge by itself. */
function readinessNote({ scanned: { target } }: Journey): string {
  return target === undefined || target.minor >= 16
    ? 'istiod 1.16 and newer becomes Ready only once the bridge has answered every kind, so a rolling restart stops by itself where something is wrong.'
    : 'This istiod is Ready at once, whether the bridge has answered or not: look at the next step before you restart the next replica.';
}

/** Up to 1.4 there is no Deployment istiod: Pilot is Deployment istio-pilot, whose manifests fit no istiod. */
const isBeforeIstiod = ({ scanned: { from } }: Journey): boolean => from !== undefined && from.minor < 5;

/** Installs the new istiod, and leaves Pilot alone until nobody needs it. */
function installBeside(journey: Journey, on: string): Step {
  const { from, target } = journey.scanned;
  const { after } = files(journey);
  const istiod = `istiod ${target?.text ?? '1.9 or newer'}`;
  const mesh = isLive(journey) ? 'that of the step before' : `that of ${after}`;
  return {
    id: 'restart',
    title: 'Install the new istiod beside Pilot, while the bridge is complete',
    notes: [
      `Pilot ${from?.text ?? ''} is Deployment istio-pilot: neither a restart nor another image makes an istiod of it. Install one with what ${istiod} is installed with; where the charts write the ConfigMap, with this meshConfig among the values.`,
      'Sidecars move to it when their Pods are made anew. Pilot stays until none needs it.',
      readinessNote(journey),
    ],
    commands: [
      ...gateOf(journey),
      `# now install ${istiod}, its mesh config being ${mesh}`,
      `${on} rollout status deploy/${istiodOf(journey)} --timeout=10m`,
    ],
    check: { command: statusCommand(journey), expect: 'every istiod is among the streams, and nothing waits' },
    back: [`Uninstall ${istiod}, then the way back of the step before. Pilot has run on.`],
  };
}

/** What puts the new istiod in the place of the old Pilot, and back. */
function imageCommands({ scanned: { from, target } }: Journey, set: string): { forth: string; back: string } {
  const image = (text: string | undefined) => `discovery=docker.io/istio/pilot:${text ?? 'VERSION'}`;
  // Images have the whole version.
  const whole = (text: string | undefined) => (/^1\.\d+$/.test(text ?? '') ? `${text}.0` : text);
  return { forth: `${set} ${image(whole(target?.text))}`, back: `${set} ${image(whole(from?.text))}` };
}

/** Where the bridge can be asked how it is. */
function statusCommand(journey: Journey): string {
  const service = serviceOf(journey.bridge);
  const on =
    service === undefined ? '' : `${kubectlOf(journey)} -n ${quote(service.namespace)} exec statefulset/isthmus -- `;
  return `${on}isthmus status`;
}

function verify(journey: Journey): Step {
  const { bridge, mesh, scanned } = journey;
  const service = serviceOf(bridge);
  const port = service === undefined ? bridge.port : podXdsPort;
  const namespace = quote(namespaceOf(journey));
  const version = scanned.target === undefined ? '' : ` --to-version ${quote(scanned.target.text)}`;
  // The ConfigMap istio is that of an istiod without a revision; of values and operators nobody can tell.
  const known = mesh.revision ?? (mesh.kind === 'configMap' ? '' : undefined);
  const revision = known === undefined ? '' : ` --revision ${quote(known)}`;
  return {
    id: 'verify',
    title: 'See that istiod has what the servers have',
    notes: [
      'An acknowledgement proves nothing: istiod acknowledges what it throws away. Look at each replica: one port-forward and one --istiod for each Pod.',
      'On the host of the bridge nothing of it has to be forwarded.',
    ],
    commands: [
      `${kubectlOf(journey)} -n ${quote(service?.namespace ?? namespaceOf(journey))} port-forward statefulset/isthmus ${port} 15480 &`,
      `${kubectlOf(journey)} -n ${namespace} port-forward deploy/${istiodOf(journey)} 8080 &`,
    ],
    check: {
      command: `isthmus migrate verify --bridge 127.0.0.1:${port} --admin http://127.0.0.1:15480 --istiod http://127.0.0.1:8080${version}${revision} --wait 5m`,
      expect: 'exit code 0, and “equal” in the last line',
    },
    back: ['The way back of the step before the restart, then the restart.'],
  };
}

function watch(): Step {
  return {
    id: 'watch',
    title: 'Watch it for a day',
    notes: [
      'Through the port-forward of the step before, or by Prometheus.',
      'isthmus_source_connected and isthmus_source_synced stay 1; isthmus_source_stale, isthmus_quarantined_resources, isthmus_guard_held_resources and isthmus_conflicts stay 0; isthmus_xds_streams is the number of istiods.',
    ],
    commands: [],
    check: {
      command:
        'curl -fsS http://127.0.0.1:15480/metrics | grep -E "^isthmus_(source_(connected|synced|stale)|quarantined_resources|guard_held_resources|conflicts|xds_streams)[ {]"',
      expect: 'those values; the same number of services in the mesh as before',
    },
    back: ['The same as before: the old mesh config, and a restart.'],
  };
}

/** Parts of the old control plane that are among the inputs. */
function cleanUp(journey: Journey): Step[] {
  const { scanned } = journey;
  const kubectl = kubectlOf(journey);
  const commands = scanned.objects.flatMap(({ kind, name, namespace, json }) => {
    if (kind === 'ValidatingWebhookConfiguration' && JSON.stringify(json).includes('galley')) {
      return [`${kubectl} delete validatingwebhookconfiguration ${quote(name)}`];
    }
    const isOld = scanned.programs.some(
      ({ role, subject }) =>
        (role === 'mixer' || role === 'galley') &&
        subject.startsWith(`${kind} ${namespace === '' ? '' : `${namespace}/`}${name},`),
    );
    return isOld
      ? [`${kubectl} -n ${quote(namespace || 'istio-system')} delete ${kind.toLowerCase()} ${quote(name)}`]
      : [];
  });
  if (commands.length === 0) return [];
  const webhooksFirst = commands.toSorted((a, b) => Number(b.includes('webhook')) - Number(a.includes('webhook')));
  return [
    {
      id: 'clean-up',
      title: 'Remove what nobody needs any more',
      notes: ['Only once no sidecar up to 1.7 is left, and nothing of it is a source of the bridge.'],
      commands: webhooksFirst,
      check: { command: statusCommand(journey), expect: 'no source is lost by it' },
      back: ['kubectl apply of the manifests, which you have.'],
    },
  ];
}
