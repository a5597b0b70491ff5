import { createHash, X509Certificate } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { loadCapture } from '../../../src/capture/capture.ts';
import { allChecks } from '../../../migrate/checks/all.ts';
import { failureOf } from '../../../src/kube/failure.ts';
import { loadKubeconfig } from '../../../src/kube/kubeconfig.ts';
import { runChecks } from '../../../migrate/checks/check.ts';
import { scan } from '../../../migrate/scan/scan.ts';
import { readCaptureFile } from '../../../src/capture/capture-file.ts';
import { type CaptureRecord, headerLine, recordLine } from '../../../src/capture/format.ts';
import { Redactor } from '../../../src/capture/redact.ts';
import { scriptOf } from '../../../src/capture/script.ts';
import { stateAtEnd } from '../../../src/capture/state.ts';
import { parseDuration, parseSize } from '../../../src/config/duration.ts';
import { loadConfig } from '../../../src/config/load.ts';
import { Intake } from '../../../src/intake/intake.ts';
import { parseName } from '../../../src/intake/name.ts';
import { AggregatedExchange } from '../../../src/legacy/aggregated.ts';
import { CollectionProbe } from '../../../src/legacy/collection-probe.ts';
import { SinkExchange } from '../../../src/legacy/sink.ts';
import { SourceExchange } from '../../../src/legacy/source.ts';
import { ViewOffers } from '../../../src/legacy/view-offers.ts';
import { defaultSourceProfile } from '../../../src/legacy/source-profile.ts';
import { IsthmusError } from '../../../src/model/errors.ts';
import { type Kind, kinds } from '../../../src/model/kinds.ts';
import { ResourcePool } from '../../../src/model/resource.ts';
import { parseHostPort } from '../../../src/net/address.ts';
import { altNamesOf, describeCertificate, identitiesOf } from '../../../src/net/tls-certificate.ts';
import { judgeTls, readTlsFiles } from '../../../src/net/tls-files.ts';
import { faultOf } from '../../../src/quarantine/verdict.ts';
import { bodyToJson } from '../../../src/schema/json.ts';
import { parseYaml } from '../../../src/schema/yaml.ts';
import { readState, recordHead, StateEncoder, UnreadableStateError } from '../../../src/state/state-format.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { type RepairOptions, repairServiceEntry } from '../../../src/wire/body-repairs.ts';
import { canonicalise } from '../../../src/wire/canonical.ts';
import {
  decodeRequestResources,
  encodeRequestResources,
  readMeshConfigResponse,
  readResources,
} from '../../../src/wire/legacy-messages.ts';
import { readRows } from '../../../src/wire/resource-frame.ts';
import { invalidText, newResourceParts, orderMaps, scanResource } from '../../../src/wire/resource-parts.ts';
import { ResourceTable } from '../../../src/wire/resource-table.ts';
import {
  encodeResourceMessage,
  resourceBytes,
  viewResource,
  viewResourceBytes,
} from '../../../src/wire/resource-view.ts';
import { cursor, MalformedError, readVarint, skip } from '../../../src/wire/scan.ts';
import { shapes } from '../../../src/wire/shapes.ts';
import {
  decodeDiscoveryRequest,
  decodeDiscoveryResponse,
  encodeDiscoveryRequest,
  encodeResponseTail,
} from '../../../src/wire/xds-messages.ts';
import { captureHeader, captureOf, requestBytes, resourcesBytes, streamRecords } from '../capture-bytes.ts';
import type { Random } from '../istiod/random.ts';
import { requireKind, serviceEntry, serviceEntryBody, serviceEntryResource } from '../resources.ts';
import { sampleOf } from '../samples.ts';
import { testIdentity } from '../strangers.ts';
import { kubeconfigText } from '../fake-kube-api.ts';
import { field, fields } from '../wire-bytes.ts';
import { mutate, mutateText } from './mutations.ts';

/** Something that reads what others wrote. */
export type ParserTarget = {
  readonly name: string;
  /** An input that may be anything; equal randoms make equal inputs. */
  readonly input: (random: Random) => Buffer | string;
  /** Reads it. Throws what it may throw. */
  readonly read: (input: never) => unknown;
  /** Errors that are right for bad inputs. */
  readonly allowed: readonly (new (
    ...args: never
  ) => Error)[];
};

/** A target that reads bytes. */
const binary = (
  name: string,
  seeds: readonly Buffer[],
  read: (bytes: Buffer) => unknown,
  ...allowed: ParserTarget['allowed']
): ParserTarget => ({
  name,
  input: (random) => mutate(random.pick(seeds), random, random.pick(seeds)),
  read,
  allowed,
});

/** A target that reads text. */
const textual = (
  name: string,
  seeds: readonly string[],
  read: (text: string) => unknown,
  ...allowed: ParserTarget['allowed']
): ParserTarget => ({
  name,
  input: (random) => mutateText(random.pick(seeds), random, random.pick(seeds)),
  read,
  allowed,
});

const se = serviceEntry.collection ?? '';

/** Every field of every kind, as bodies and as resources. */
const samples = kinds.flatMap((kind) =>
  parseYaml(sampleOf(kind.kind).text, kind.kind).resources.map(({ namespace, name, labels, annotations, body }) => ({
    kind,
    body,
    resource: encodeResourceMessage({
      name: `${namespace}/${name}`,
      version: 'v1',
      createTime: new Date(0),
      labels,
      annotations,
      bodyType: kind.body,
      body,
    }),
  })),
);

const entries = [
  serviceEntryResource('shop/orders', {
    hosts: ['orders.shop'],
    endpoints: [{ address: '10.0.0.1', labels: { a: 'b' } }],
  }),
  serviceEntryResource('bare', { hosts: ['a.b', 'c.d'] }, { labels: { app: 'x', v: '1' }, annotations: { n: 'é' } }),
];

const messages = [
  resourcesBytes(se, '1', entries, { removedResources: ['shop/gone', 'gone'] }),
  resourcesBytes(se, '2', entries, { incremental: true, systemVersionInfo: 'v2' }),
  resourcesBytes('istio/networking/v1alpha3/gateways', ''),
];

/** The same of the older protocol. */
const meshConfigs = messages.map((_, index) =>
  fields(
    field(1, Buffer.from('7')),
    ...entries.slice(index).map((entry) => field(2, entry)),
    field(3, Buffer.from(se)),
    field(4, Buffer.from('1')),
  ),
);

/** ServiceEntries that each repair finds something in. */
const broken = [
  { hosts: ['a:b.c', 'ordersnacos'], endpoints: [{ address: '10.0.0.1', labels: { 'no label': 'x', app: 'y' } }] },
  {
    hosts: ['a.b'],
    ports: [
      { number: 0, name: 'http', protocol: 'HTTP' },
      { number: 8080, name: 'tcp', protocol: 'TCP' },
    ],
    endpoints: [{ address: '10.0.0.1', ports: { http: 80, tcp: 9090 } }],
  },
];

const allRepairs: RepairOptions = {
  invalidLabels: true,
  hostColons: true,
  missingDot: 'nacos',
  zeroPorts: true,
  servicePorts: true,
};

const requests = [
  requestBytes(se),
  encodeRequestResources({
    sinkNode: { id: 'pilot', annotations: { a: 'b' } },
    collection: se,
    initialResourceVersions: { 'shop/orders': '1' },
    responseNonce: '1',
    errorDetail: { code: 3, message: 'no' },
    incremental: true,
  }),
];

const discoveryRequests = [
  encodeDiscoveryRequest({
    node: { id: 'sidecar~192.0.2.2~istiod.istio-system~x', cluster: 'c' },
    typeUrl: 'networking.istio.io/v1/ServiceEntry',
    responseNonce: 'n',
  }),
  encodeDiscoveryRequest({ typeUrl: 'x/y/Z', versionInfo: 'v', errorDetail: { code: 3, message: 'no' } }),
];

/** As a DiscoveryResponse, and a state file, has it. */
const sentEntries = entries.map((entry) =>
  field(2, fields(field(1, 'type.googleapis.com/istio.mcp.v1alpha1.Resource'), field(2, entry))),
);

const discoveryResponses = [
  fields(
    encodeResponseTail({ versionInfo: '1', typeUrl: 'networking.istio.io/v1/ServiceEntry', nonce: 'n' }),
    ...sentEntries,
  ),
];

/** The parts of a message that the intake takes: cut into resources, as the envelope has them. */
async function takeIn(kind: Kind, bytes: Buffer, repairs?: RepairOptions): Promise<void> {
  const { spans, removedResources, incremental } = readResources(bytes);
  const pool = new ResourcePool();
  const held = { resources: new ResourceTable(pool), arena: new Arena(), listed: undefined };
  const intake = new Intake(kind, {
    defaultNamespace: 'default',
    namespaceIsExplicit: false,
    ...(repairs === undefined ? {} : { repairs }),
  });
  const copy = Buffer.from(bytes);
  const { upserts } = await intake.take({ bytes: copy, spans, removed: removedResources, full: !incremental }, held);
  // What it lets through, everybody has to be able to read.
  for (const row of readRows(pool, upserts)) {
    viewResource(row);
    faultOf(kind.id, resourceBytes(row));
  }
}

const savedState = readFileSync(new URL('../../unit/state/fixtures/one.ServiceEntry.state', import.meta.url));
const hashBytes = 32;

/** A state file whose checksum is right, whatever it holds. */
function sealed(bytes: Buffer): Buffer {
  const content = bytes.subarray(0, Math.max(0, bytes.length - hashBytes));
  return Buffer.concat([content, createHash('sha256').update(content).digest()]);
}

/** A state file that is right in all but its one resource. */
function stateOf(resource: Buffer): Buffer {
  const encoder = new StateEncoder();
  const at = new Date(0).toISOString();
  const header = { source: 'one', kind: serviceEntry.id, isthmus: '1.2.3', savedAt: at, lastMessageAt: at };
  return Buffer.concat([
    encoder.header({ ...header, sync: 'synced' }),
    encoder.resources(Buffer.concat([Buffer.alloc(recordHead), resource]), 1),
    encoder.end(),
  ]);
}

const captured: readonly CaptureRecord[] = [
  ...streamRecords(
    1,
    [
      [0, 'request', requestBytes(se)],
      [1, 'resources', messages[0] as Buffer],
      [2, 'request', requestBytes(se, '1')],
    ],
    { at: 3, code: 3, details: `unsupported collection "${se}"`, refusal: true },
  ),
  { type: 'stop', at: 4, why: 'duration', refused: [] },
];
const capture = Buffer.from(headerLine(captureHeader) + captured.map(recordLine).join(''));

const zipped = gzipSync(capture);

/** One file for all targets that read files. */
const folder = mkdtempSync(join(tmpdir(), 'isthmus-fuzz-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));

function fileOf(content: Buffer | string): string {
  const path = join(folder, 'input');
  writeFileSync(path, content);
  return path;
}

const derOf = (pem: string) => Buffer.from(pem.replaceAll(/-----.+-----|\s/g, ''), 'base64');

const certificate = derOf(testIdentity.cert);
const key = derOf(testIdentity.key);

const pemOf = (label: string, der: Buffer) =>
  `-----BEGIN ${label}-----\n${der.toString('base64')}\n-----END ${label}-----\n`;

/** All that TLS files hold, in one text that is given for each of them, and shown as the pages do. */
async function readTls(text: string): Promise<void> {
  const path = fileOf(text);
  const files = { cert: path, key: path, ca: path };
  const { authorities } = judgeTls(files, await readTlsFiles(files), Date.now());
  for (const { validFrom, validTo } of authorities) JSON.stringify([validFrom.toISOString(), validTo.toISOString()]);
}

/** Undefined where OpenSSL takes it for none. */
function certificateOf(der: Buffer): X509Certificate | undefined {
  try {
    return new X509Certificate(der);
  } catch {
    return undefined;
  }
}

const kubeconfigs = [
  kubeconfigText('https://127.0.0.1:6443', { token: 'x', tokenFile: 'y' }, { 'certificate-authority-data': 'eA==' }),
  kubeconfigText('http://a', { exec: { command: 'aws', args: ['x'] }, 'client-key-data': 'eA==', as: 'someone' }),
];

const statuses = ['Forbidden', 'NotFound', 'Conflict'].map((reason) =>
  JSON.stringify({ kind: 'Status', message: 'configmaps "istio" is …', reason, details: { name: 'istio' }, code: 403 }),
);

const kubeRequest = {
  verb: 'get',
  group: '',
  resource: 'configmaps',
  namespace: 'istio-system',
  name: 'istio',
  what: 'configmaps istio-system/istio',
  context: 'x',
  server: 'https://x',
} as const;

/** What `isthmus migrate analyze` is given, as far as one file goes. */
const migrations = [
  'helm-1.1/istio.yaml',
  'helm-1.1/galley.yaml',
  'operator-1.6/operator.yaml',
  'old-objects/networking.yaml',
].map((file) => readFileSync(join(import.meta.dirname, '../../golden/migrate/analyze', file), 'utf8'));

const config = `sources:
- name: galley
  address: mcp://galley.istio-system:9901
  collections: [istio/networking/v1alpha3/serviceentries]
  maxMessage: 256MiB
  silentCollection: 30s
xds: { listen: 127.0.0.1:15410, minGap: 250ms, recycle: 10m }
guard:
  maxRemovalPercent: 50
  hold: 5m
istiod: { version: "1.24" }
`;

const scanned = newResourceParts();

/** Everything that reads what others wrote; new ones go in here. */
export const parserTargets: readonly ParserTarget[] = [
  binary(
    'wire/scan',
    messages,
    (bytes) => {
      for (let at = 0; at < bytes.length; ) {
        const tag = readVarint(bytes, at, bytes.length);
        at = skip(bytes, tag & 7, cursor, bytes.length);
      }
    },
    MalformedError,
  ),
  binary(
    'wire/resource-parts',
    samples.map(({ resource }) => resource),
    (bytes) => {
      scanResource(bytes, 0, bytes.length, scanned);
      invalidText(bytes, scanned);
      orderMaps(Buffer.from(bytes), scanned, shapes[serviceEntry.body] ?? {});
    },
    MalformedError,
  ),
  binary('wire/legacy-messages: Resources', messages, (bytes) => readResources(bytes), MalformedError),
  binary('wire/legacy-messages: RequestResources', requests, (bytes) => decodeRequestResources(bytes), MalformedError),
  binary('wire/xds-messages: requests', discoveryRequests, (bytes) => decodeDiscoveryRequest(bytes), MalformedError),
  binary('wire/xds-messages: responses', discoveryResponses, (bytes) => decodeDiscoveryResponse(bytes), MalformedError),
  binary(
    'wire/resource-view',
    samples.map(({ resource }) => resource),
    (bytes) => viewResourceBytes(bytes),
    MalformedError,
  ),
  ...kinds.map((kind) =>
    binary(
      `wire/canonical and schema: ${kind.kind}`,
      samples.filter((one) => one.kind === kind).map(({ body }) => body),
      (bytes) => {
        canonicalise(Buffer.from(bytes), 0, bytes.length, shapes[kind.body] ?? {});
        bodyToJson(kind, bytes);
      },
      MalformedError,
    ),
  ),
  ...[serviceEntry, requireKind('EnvoyFilter'), requireKind('VirtualService')].map((kind) => {
    const resources = samples.filter((one) => one.kind === kind).map(({ resource }) => resource);
    const seeds = [...messages.slice(0, 2), resourcesBytes(kind.collection ?? '', '3', resources)];
    return binary(`intake: ${kind.kind}`, seeds, (bytes) => takeIn(kind, bytes), MalformedError);
  }),
  binary(
    'intake: repairs',
    [
      resourcesBytes(
        se,
        '1',
        broken.map((spec) => serviceEntryResource('a/b', spec)),
      ),
    ],
    (bytes) => takeIn(serviceEntry, bytes, allRepairs),
    MalformedError,
  ),
  binary(
    'wire/body-repairs',
    broken.map(serviceEntryBody),
    (bytes) => {
      const repaired = repairServiceEntry(bytes, allRepairs);
      if (repaired === undefined) return;
      // What was repaired is a message, and there is nothing more to do in it.
      const again = repairServiceEntry(repaired.body, allRepairs);
      if (again !== undefined) throw new Error(`repaired again: ${[...again.done].join()}`);
    },
    MalformedError,
  ),
  binary(
    'wire/legacy-messages: MeshConfigResponse',
    meshConfigs,
    (bytes) => readMeshConfigResponse(bytes),
    MalformedError,
  ),
  binary(
    'legacy/aggregated',
    meshConfigs,
    (bytes) => new AggregatedExchange([se], { ...defaultSourceProfile, protocol: 'aggregated-1.1' }).receive(bytes),
    MalformedError,
  ),
  binary(
    'legacy/sink',
    messages,
    (bytes) => new SinkExchange([se], defaultSourceProfile).receive(bytes),
    MalformedError,
  ),
  binary(
    'legacy/source',
    requests,
    (bytes) =>
      new SourceExchange(new ViewOffers(new Map([[se, { version: '1', resources: entries }]]))).onRequest(
        decodeRequestResources(bytes),
      ),
    MalformedError,
  ),
  binary('state files', [savedState], (bytes) => readState(bytes), UnreadableStateError),
  binary('state files: a resource', sentEntries, (bytes) => readState(stateOf(bytes)), UnreadableStateError),
  binary('state files with a good checksum', [savedState], (bytes) => readState(sealed(bytes)), UnreadableStateError),
  binary(
    'captures',
    [capture],
    (bytes) => readCaptureFile(fileOf(bytes), { onHeader() {}, onRecord() {} }),
    IsthmusError,
  ),
  {
    name: 'captures: compressed',
    // What is within, or around it.
    input: (random) => (random.chance(0.5) ? gzipSync(mutate(capture, random)) : mutate(zipped, random)),
    read: (bytes: Buffer) => loadCapture(fileOf(bytes)),
    allowed: [IsthmusError],
  },
  binary('captures: what is made of them', messages, (bytes) => {
    const records = streamRecords(1, [
      [0, 'request', requestBytes(se)],
      [1, 'resources', bytes],
      [2, 'request', bytes],
    ]);
    const whole = captureOf(records);
    scriptOf(whole);
    stateAtEnd(whole);
  }),
  binary('captures: redaction', [...messages, ...requests], (bytes) => {
    const redactor = new Redactor(Buffer.alloc(32));
    for (const type of ['Resources', 'RequestResources']) redactor.message(`istio.mcp.v1alpha1.${type}`, bytes);
  }),
  binary(
    'names',
    ['shop/orders', '/shop/orders', 'orders', 'é/x'].map((name) => Buffer.from(name)),
    (bytes) => parseName(bytes, serviceEntry, { defaultNamespace: 'default', namespaceIsExplicit: false }),
  ),
  textual('YAML documents', [...kinds.map(({ kind }) => sampleOf(kind).text), config], (text) =>
    parseYaml(text, 'x.yaml'),
  ),
  textual('TLS files', [`${testIdentity.cert}\n${testIdentity.key}\n`], readTls, IsthmusError),
  {
    name: 'TLS files: what is in their PEM',
    input(random) {
      const der = mutate(random.pick([certificate, key]), random);
      const parts = random.chance(0.5) ? [der, key] : [certificate, der];
      return parts.map((part, index) => pemOf(index === 0 ? 'CERTIFICATE' : 'PRIVATE KEY', part)).join('');
    },
    read: readTls,
    allowed: [IsthmusError],
  },
  binary('TLS certificates of peers', [certificate], (bytes) => {
    const read = certificateOf(bytes);
    if (read === undefined) return;
    const { validFrom, validTo, ...rest } = describeCertificate(read);
    JSON.stringify([rest, validFrom.toISOString(), validTo.toISOString(), identitiesOf(read.subjectAltName ?? '')]);
  }),
  textual(
    'TLS names',
    ['DNS:galley.svc, IP Address:10.0.0.1, URI:spiffe://cluster.local/ns/a/sa/b', 'DNS:"a, URI:x", URI:spiffe://x/y'],
    (text) => [altNamesOf(text), identitiesOf(text)],
  ),
  textual('what a migration looks at', migrations, (text) =>
    runChecks(allChecks, scan({ files: [{ file: 'x.yaml', text }], unread: [] }, undefined)),
  ),
  textual('config', [config], (text) => loadConfig(fileOf(text)), IsthmusError),
  textual('kubeconfigs', kubeconfigs, (text) => loadKubeconfig({ kubeconfig: fileOf(text) }), IsthmusError),
  textual('what an API server says where it does nothing', statuses, (text) =>
    [401, 403, 404, 409, 422, 429, 500, 502].map((status) => failureOf(kubeRequest, status, text).message),
  ),
  textual(
    'addresses',
    ['127.0.0.1:15410', '[::1]:15410', 'galley.istio-system:9901'],
    (text) => parseHostPort(text, 'x'),
    IsthmusError,
  ),
  textual('durations and sizes', ['1h30m', '250ms', '1.5s', '256MiB', '0'], (text) => [
    parseDuration(text),
    parseSize(text),
  ]),
  textual('refusals', ['unsupported collection "istio/x"', 'unsupported collection: istio/y'], (text) =>
    new CollectionProbe(['istio/x', 'istio/y'], new Map(), 0).ended(3, text, 0),
  ),
];
