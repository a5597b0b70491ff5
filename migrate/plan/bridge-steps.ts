import { formatHostPort, type HostPort } from '../../src/net/address.ts';
import { legacyUrl, sourceNames } from '../checks/legacy-address.ts';
import { isLegacy } from '../scan/address.ts';
import type { ConfigSource, MeshConfig } from '../scan/mesh-config.ts';
import { quote, type Step } from './step.ts';

/** Where the bridge is to run, and what of. */
export type BridgePlace = {
  /** Where istiod finds it. */
  readonly bridge: HostPort;
  /** What its image is called where the cluster finds it. */
  readonly image: string;
  /** Where the mesh config is one of a cluster: the flags that say which, each with a blank before it. */
  readonly cluster?: { readonly kubectl: string; readonly isthmus: string } | undefined;
};

export const kubectlOf = ({ cluster }: BridgePlace): string => `kubectl${cluster?.kubectl ?? ''}`;

/** The port for istiod in the Pods of deploy/, whatever that of their Service is. */
export const podXdsPort = 15410;
const metricsPort = 15490;

/** Where deploy/ is, from the folder that the plan makes. */
const manifests = '../deploy';

/** The Service that an address names, as NAME.NAMESPACE or NAME.NAMESPACE.svc and so on; undefined for another host. */
export function serviceOf({ host }: HostPort): { readonly name: string; readonly namespace: string } | undefined {
  const [, name, namespace] = /^([a-z][a-z0-9-]*)\.([a-z0-9][a-z0-9-]*)(?:\.svc(?:\..+)?)?$/.exec(host) ?? [];
  return name === undefined || namespace === undefined ? undefined : { name, namespace };
}

/** Writes the config of the bridge, and where it runs in the cluster what installs it. */
export function describeSources(mesh: MeshConfig, place: BridgePlace): Step {
  const legacy = mesh.sources.filter(({ address }) => isLegacy(address));
  const named = legacy.length > 0 ? uniqueNames(legacy) : [{ name: 'NAME', url: 'mcp://HOST:PORT' }];
  const service = serviceOf(place.bridge);
  const config = [
    'sources:',
    ...named.flatMap(({ name, url }) => [
      `- name: ${name}`,
      `  address: ${url}`,
      ...(url.startsWith('mcps:') ? ['  tls: { ca: ca.crt, cert: tls.crt, key: tls.key }'] : []),
    ]),
    'xds:',
    `  listen: 0.0.0.0:${service === undefined ? place.bridge.port : podXdsPort}`,
    'metrics:',
    `  listen: 0.0.0.0:${metricsPort}`,
    'stateDir: /var/lib/isthmus',
  ];
  const notes = [
    legacy.length > 0
      ? 'These are the legacy servers of configSources.'
      : 'configSources names no legacy server: write down the one that is meant.',
    'Where a server has habits of its own, its profile says which: docs/profiles.md.',
  ];
  const common = { id: 'sources', title: 'Write down what the bridge reads' } as const;
  if (service === undefined) {
    return {
      ...common,
      notes,
      commands: [heredoc('isthmus.yaml', config)],
      check: {
        command: 'isthmus check --config isthmus.yaml',
        expect: 'exit code 0; from where the bridge will run, since it dials the servers',
      },
      back: ['rm isthmus.yaml'],
    };
  }
  return {
    ...common,
    notes: [
      ...notes,
      'In the folder of Isthmus’ repository, or in another one that has a copy of its folder deploy.',
      ...(config.some((line) => line.includes('tls:'))
        ? ['Put the files of tls into a Secret, and mount it: docs/deploy.md.']
        : []),
    ],
    commands: [
      'mkdir -p isthmus/gate',
      heredoc('isthmus/isthmus.yaml', config),
      heredoc('isthmus/kustomization.yaml', kustomization(place, service)),
      heredoc('isthmus/gate/kustomization.yaml', gateKustomization(place, service)),
    ],
    check: {
      command: `${kubectlOf(place)} apply -k isthmus --dry-run=server`,
      expect: `the API server would take each object; where it does not know namespace ${service.namespace}, make it first`,
    },
    back: ['rm -r isthmus'],
  };
}

/** Starts the bridge. */
export function startBridge(place: BridgePlace): Step {
  const { bridge, image } = place;
  const service = serviceOf(bridge);
  const address = formatHostPort(bridge);
  const title = 'Start the bridge, and wait until it is complete';
  const first = 'istiod exits where nobody listens at its source when it starts, so this comes first.';
  if (service === undefined) {
    return {
      id: 'bridge',
      title,
      notes: [first],
      commands: ['isthmus serve --config isthmus.yaml'],
      check: {
        command: `curl -fsS http://${formatHostPort({ ...bridge, port: metricsPort })}/syncz && isthmus check xds://${address}`,
        expect: '/syncz answers 200, and check ends with exit code 0; both from a Pod beside istiod',
      },
      back: ['Stop it: nobody reads it yet.'],
    };
  }
  const on = `${kubectlOf(place)} -n ${quote(service.namespace)}`;
  const push = image.includes('/') ? ` && docker push ${quote(image)}` : '';
  return {
    id: 'bridge',
    title,
    notes: [
      first,
      'One replica with a volume, and a Service; what they are made of, and how to have several: docs/deploy.md.',
      ...(push === ''
        ? ['Nodes pull the image from a registry: --image REGISTRY/isthmus:VERSION writes yours into the plan.']
        : []),
    ],
    commands: [
      `docker build -f deploy/Dockerfile -t ${quote(image)} .${push}`,
      `${kubectlOf(place)} apply -k isthmus`,
      `${on} rollout status statefulset/isthmus --timeout=5m`,
      ...gateOf(place),
    ],
    check: {
      command: `${on} exec statefulset/isthmus -- isthmus check xds://${address} && ${on} exec statefulset/isthmus -- isthmus status`,
      expect: 'exit code 0: istiod would be answered at that address, and nothing is wrong with the sources',
    },
    back: [`${kubectlOf(place)} delete -k isthmus`],
  };
}

/** Commands that end well once the bridge is complete, and not before. */
export function gateOf(place: BridgePlace): string[] {
  const { bridge } = place;
  const service = serviceOf(bridge);
  if (service === undefined) return [`curl -fsS http://${formatHostPort({ ...bridge, port: metricsPort })}/syncz`];
  const on = `${kubectlOf(place)} -n ${quote(service.namespace)}`;
  return [
    `${on} delete job isthmus-synced --ignore-not-found`,
    `${kubectlOf(place)} apply -k isthmus/gate`,
    `${on} wait --for=condition=complete job/isthmus-synced --timeout=10m`,
  ];
}

type ServiceName = NonNullable<ReturnType<typeof serviceOf>>;

function kustomization(place: BridgePlace, service: ServiceName): string[] {
  const { port } = place.bridge;
  const edits = [
    ...(service.name === 'isthmus' ? [] : [{ op: 'replace', path: '/metadata/name', value: service.name }]),
    ...(port === podXdsPort ? [] : [{ op: 'replace', path: '/spec/ports/0/port', value: port }]),
  ];
  return [
    ...kustomizationHead('base', service, place.image),
    'configMapGenerator:',
    '- name: isthmus',
    '  behavior: replace',
    '  files: [isthmus.yaml]',
    ...patchesOf('Service', 'isthmus', edits),
  ];
}

function gateKustomization({ image }: BridgePlace, service: ServiceName): string[] {
  const path = '/spec/template/spec/containers/0/env/0/value';
  const value = `http://${service.name}:${metricsPort}/syncz`;
  const edits = service.name === 'isthmus' ? [] : [{ op: 'replace', path, value }];
  return [...kustomizationHead('gate', service, image, '../'), ...patchesOf('Job', 'isthmus-synced', edits)];
}

function kustomizationHead(folder: string, { namespace }: ServiceName, image: string, up = ''): string[] {
  const [, newName = image, newTag, digest] = /^([^@]+?)(?::([^:/@]+))?(?:@(.+))?$/.exec(image) ?? [];
  return [
    'apiVersion: kustomize.config.k8s.io/v1beta1',
    'kind: Kustomization',
    `namespace: ${namespace}`,
    'resources:',
    `- ${up}${manifests}/${folder}`,
    'images:',
    '- name: isthmus',
    `  newName: ${newName}`,
    ...(newTag === undefined ? [] : [`  newTag: ${JSON.stringify(newTag)}`]),
    ...(digest === undefined ? [] : [`  digest: ${digest}`]),
  ];
}

function patchesOf(kind: string, name: string, edits: readonly object[]): string[] {
  if (edits.length === 0) return [];
  return ['patches:', `- target: { kind: ${kind}, name: ${name} }`, `  patch: '${JSON.stringify(edits)}'`];
}

const heredoc = (file: string, lines: readonly string[]): string => `cat > ${file} <<'EOF'\n${lines.join('\n')}\nEOF`;

function uniqueNames(sources: readonly ConfigSource[]): { name: string; url: string }[] {
  const names = sourceNames(sources.map(({ address }) => address));
  return sources.map(({ address, tls }, at) => ({ name: names[at] ?? '', url: legacyUrl(address, tls?.mode) }));
}
