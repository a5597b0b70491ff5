import { formatHostPort, type HostPort } from '../../src/net/address.ts';
import { legacyUrl, sourceName } from '../checks/legacy-address.ts';
import type { Finding } from '../finding.ts';
import { isLegacy } from '../scan/address.ts';
import type { ConfigSource, MeshConfig } from '../scan/mesh-config.ts';
import type { Scanned } from '../scan/scan.ts';
import { xdsOnlyMinor } from '../version.ts';
import { quote, type Step } from './step.ts';

/** What the steps are made of. */
export type Journey = {
  readonly scanned: Scanned;
  readonly findings: readonly Finding[];
  /** The one that is moved. */
  readonly mesh: MeshConfig;
  readonly bridge: HostPort;
  /** Where the mesh config is one of a cluster: the flags that say which, each with a blank before it. */
  readonly cluster?: { readonly kubectl: string; readonly isthmus: string } | undefined;
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
    describeSources(journey),
    startBridge(journey),
    ...(isLive(journey) ? [lookAtPatch(journey), applyPatch(journey)] : [patch(journey), apply(journey)]),
    restart(journey),
    verify(journey),
    watch(),
    ...cleanUp(journey),
  ];
}

const namespaceOf = ({ mesh }: Journey): string => mesh.object?.namespace || 'istio-system';

const istiodOf = ({ mesh }: Journey): string => (mesh.revision ? `istiod-${mesh.revision}` : 'istiod');

/** A ConfigMap is patched in the cluster itself; what an operator installs from becomes a file first. */
const isLive = ({ cluster, mesh }: Journey): boolean => cluster !== undefined && mesh.kind === 'configMap';

const kubectlOf = ({ cluster }: Journey): string => `kubectl${cluster?.kubectl ?? ''}`;

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
  return [
    {
      id: 'prepare',
      title: 'Mend what the new mesh config does not',
      notes: [...shown, ...more],
      commands: [],
      check: {
        command: analyzeAgain(journey, files(journey).before),
        expect: 'none of these codes any more',
      },
      back: ['That of each change.'],
    },
  ];
}

function describeSources(journey: Journey): Step {
  const legacy = journey.mesh.sources.filter(({ address }) => isLegacy(address));
  const named = legacy.length > 0 ? uniqueNames(legacy) : [{ name: 'NAME', url: 'mcp://HOST:PORT' }];
  const lines = named.flatMap(({ name, url }) => [
    `- name: ${name}`,
    `  address: ${url}`,
    ...(url.startsWith('mcps:') ? ['  tls: { ca: ca.crt, cert: tls.crt, key: tls.key }'] : []),
  ]);
  const listens = [
    'xds:',
    `  listen: 0.0.0.0:${journey.bridge.port}`,
    'metrics:',
    '  listen: 0.0.0.0:15490',
    'stateDir: /var/lib/isthmus',
  ];
  return {
    id: 'sources',
    title: 'Write down what the bridge reads',
    notes: [
      legacy.length > 0
        ? 'These are the legacy servers of configSources.'
        : 'configSources names no legacy server: write down the one that is meant.',
      'Where a server has habits of its own, its profile says which: docs/profiles.md.',
    ],
    commands: [`cat > isthmus.yaml <<'EOF'\nsources:\n${[...lines, ...listens].join('\n')}\nEOF`],
    check: {
      command: 'isthmus check --config isthmus.yaml',
      expect: 'exit code 0; from where the bridge will run, since it dials the servers',
    },
    back: ['rm isthmus.yaml'],
  };
}

function uniqueNames(sources: readonly ConfigSource[]): { name: string; url: string }[] {
  const seen = new Map<string, number>();
  return sources.map(({ address, tls }) => {
    const name = sourceName(address);
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return { name: count === 1 ? name : `${name}-${count}`, url: legacyUrl(address, tls?.mode) };
  });
}

function startBridge({ bridge }: Journey): Step {
  const address = formatHostPort(bridge);
  return {
    id: 'bridge',
    title: 'Start the bridge, and wait until it is complete',
    notes: [
      `In Kubernetes: one replica with a volume behind /var/lib/isthmus, and a Service so that istiod reaches ${address}, with publishNotReadyAddresses.`,
      'istiod exits where nobody listens at its source when it starts, so this comes first.',
    ],
    commands: ['isthmus serve --config isthmus.yaml'],
    check: {
      command: `curl -fsS http://${formatHostPort({ ...bridge, port: 15490 })}/syncz && isthmus check xds://${address}`,
      expect: '/syncz answers 200, and check ends with exit code 0; both from a Pod beside istiod',
    },
    back: ['Stop it: nobody reads it yet.'],
  };
}

/** The command that patches the ConfigMap of the cluster, without what makes it write. */
function patchCommand({ bridge, mesh, scanned, cluster }: Journey): string {
  const name = mesh.object?.name ?? 'istio';
  const named = name === 'istio' ? '' : ` --name ${quote(name)}`;
  const version = scanned.target === undefined ? '' : ` --to-version ${quote(scanned.target.text)}`;
  return `isthmus migrate patch --bridge ${quote(formatHostPort(bridge))}${named}${cluster?.isthmus ?? ''}${version}`;
}

const mindGalley = 'Only configSources is edited. Where Galley was the source, mind GALLEY_AND_KUBERNETES.';

function lookAtPatch(journey: Journey): Step {
  return {
    id: 'patch',
    title: 'Look at the new mesh config',
    notes: [`Nothing is written yet. ${mindGalley}`],
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
function applyNotes({ scanned: { from } }: Journey): string[] {
  const first = 'Nothing happens yet: istiod reads configSources when it starts.';
  if (from === undefined || from.minor >= xdsOnlyMinor) return [first];
  return [
    first,
    `Mind that Pilot ${from.text} can’t read it: give the new mesh config to the new istiod only (a revision reads a ConfigMap of its own, istio-REVISION), and leave that of the old Pilot as it is until no sidecar needs it.`,
  ];
}

function patch(journey: Journey): Step {
  const { before, after, backup } = files(journey);
  const { bridge, scanned } = journey;
  const version = scanned.target === undefined ? '' : ` --to-version ${quote(scanned.target.text)}`;
  return {
    id: 'patch',
    title: 'Write the new mesh config into a file',
    notes: [`Look at the diff that it prints. ${mindGalley}`],
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
  const [commands, check] = applyCommands(mesh, namespace, after);
  // What was printed before the change has a resourceVersion that the API server does not take any more.
  const again = `sed '/^ *resourceVersion:/d' ${before} | kubectl -n ${namespace} replace -f -`;
  const undo = mesh.kind === 'configMap' ? [again] : applyCommands(mesh, namespace, before)[0];
  return {
    id: 'apply',
    title: 'Give the new mesh config to the cluster',
    notes: applyNotes(journey),
    commands,
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
  const { bridge, scanned } = journey;
  const namespace = quote(namespaceOf(journey));
  const deployment = `deploy/${istiodOf(journey)}`;
  const gate = `curl -fsS http://${formatHostPort({ ...bridge, port: 15490 })}/syncz`;
  const isGated = scanned.target === undefined || scanned.target.minor >= 16;
  return {
    id: 'restart',
    title: 'Restart istiod, one replica at a time, while the bridge is complete',
    notes: [
      isGated
        ? 'istiod 1.16 and newer becomes Ready only once the bridge has answered every kind, so a rolling restart stops by itself where something is wrong.'
        : 'This istiod is Ready at once, whether the bridge has answered or not: look at the next step before you restart the next replica.',
    ],
    commands: [
      `${gate} && ${kubectlOf(journey)} -n ${namespace} rollout restart ${deployment}`,
      `${kubectlOf(journey)} -n ${namespace} rollout status ${deployment} --timeout=10m`,
    ],
    check: { command: 'isthmus status', expect: 'every istiod is among the streams, and nothing waits' },
    back: ['The way back of the step before, then the same restart.'],
  };
}

function verify(journey: Journey): Step {
  const { bridge, mesh, scanned } = journey;
  const namespace = quote(namespaceOf(journey));
  // NAME.NAMESPACE.svc… of a Service; whatever else it is has to be reached in another way.
  const [, at] = /^[a-z][\w-]*\.([\w-]+)(\.svc\b.*)?$/.exec(bridge.host) ?? [];
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
      `${kubectlOf(journey)} -n ${quote(at ?? namespaceOf(journey))} port-forward statefulset/isthmus ${bridge.port} 15480 &`,
      `${kubectlOf(journey)} -n ${namespace} port-forward deploy/${istiodOf(journey)} 8080 &`,
    ],
    check: {
      command: `isthmus migrate verify --bridge 127.0.0.1:${bridge.port} --admin http://127.0.0.1:15480 --istiod http://127.0.0.1:8080${version}${revision} --wait 5m`,
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
      'isthmus_source_connected and isthmus_source_synced stay 1; isthmus_source_stale, isthmus_quarantined_resources, isthmus_guard_held_resources and isthmus_conflicts stay 0; isthmus_xds_streams is the number of istiods.',
    ],
    commands: [],
    check: {
      command:
        'curl -fsS http://127.0.0.1:15480/metrics | grep -E "isthmus_(source|quarantined|guard_held|conflicts|xds_streams)"',
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
      check: { command: 'isthmus status', expect: 'no source is lost by it' },
      back: ['kubectl apply of the manifests, which you have.'],
    },
  ];
}
