import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Redactor } from '../../../src/capture/redact.ts';
import { Intake } from '../../../src/intake/intake.ts';
import { type Kind, kinds } from '../../../src/model/kinds.ts';
import { ResourcePool } from '../../../src/model/resource.ts';
import { faultOf } from '../../../src/quarantine/verdict.ts';
import { bodyToJson } from '../../../src/schema/json.ts';
import { parseYaml } from '../../../src/schema/yaml.ts';
import { Arena } from '../../../src/wire/arena.ts';
import {
  decodeRequestResources,
  encodeRequestResources,
  encodeResources,
  readResources,
} from '../../../src/wire/legacy-messages.ts';
import { readRows } from '../../../src/wire/resource-frame.ts';
import { ResourceTable } from '../../../src/wire/resource-table.ts';
import { encodeResourceMessage, resourceBytes, viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { captureHeader, resourcesBytes } from '../../support/capture-bytes.ts';
import { legacyResource, serviceEntry, serviceEntryBody, serviceEntryResource } from '../../support/resources.ts';
import { sampleOf } from '../../support/samples.ts';
import { Random } from '../../support/istiod/random.ts';
import { mutate } from '../../support/fuzz/mutations.ts';
import { validationCases } from '../../support/validation/all.ts';
import { bodyAndViolations, kindNamed } from '../../support/validation/found.ts';
import { field, fields } from '../../support/wire-bytes.ts';

const se = serviceEntry.collection ?? '';
const fresh = (key = 7) => new Redactor(Buffer.alloc(32, key));
const resourcesType = 'istio.mcp.v1alpha1.Resources';

const redacted = (bytes: Buffer) => fresh().message(resourcesType, bytes);

/** The resources of a message. */
function resourcesIn(message: Buffer): Buffer[] {
  const { bytes, spans } = readResources(message);
  const found: Buffer[] = [];
  for (let i = 0; i < spans.length; i += 2) found.push(bytes.subarray(spans[i], spans[i + 1]));
  return found;
}

/** One resource, redacted. */
function redactedResource(resource: Buffer): Buffer {
  const [found] = resourcesIn(redacted(resourcesBytes(se, '1', [resource])));
  if (found === undefined) throw new Error('there is none any more');
  return found;
}

/** What a bridge makes of a message: how many of each, and why some are not sent. */
async function verdictOf(message: Buffer, kind: Kind = serviceEntry) {
  const { bytes, spans, removedResources: removed } = readResources(Buffer.from(message));
  const pool = new ResourcePool();
  const held = { resources: new ResourceTable(pool), arena: new Arena(), listed: undefined };
  const rules = { defaultNamespace: 'default', namespaceIsExplicit: true };
  const change = await new Intake(kind, rules).take({ bytes, spans, removed, full: true }, held);
  const taken = Array.from(readRows(pool, change.upserts), (row) => faultOf(kind.id, resourceBytes(row))?.reason ?? '');
  return {
    upserts: change.upserts.length,
    quarantined: change.quarantined.map(({ reason, named }) => `${reason} ${named}`).toSorted(),
    repairs: change.repairs,
    repeated: change.repeated?.length,
    // Sorted, as names are others now.
    faults: taken.toSorted(),
  };
}

/** Long enough not to be met again by chance. */
const word = fc.stringMatching(/^[a-z]{6,10}$/);
const host = fc.array(word, { minLength: 1, maxLength: 3 }).map((words) => words.join('.'));
const name = fc.oneof(
  fc.tuple(word, word).map((parts) => parts.join('/')),
  word,
  fc.tuple(word, word, word).map((parts) => parts.join('/')),
  fc.constant(''),
);
const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  host,
  fc.tuple(fc.ipV4(), fc.nat(32)).map((parts) => parts.join('/')),
);
const labels = fc.dictionary(
  fc.oneof(
    word,
    fc.tuple(host, word).map((parts) => parts.join('/')),
  ),
  word,
  {
    maxKeys: 3,
    noNullPrototype: true,
  },
);

/** A ServiceEntry as somebody may write it, right or wrong. */
const entry = fc
  .record({
    name,
    labels,
    annotations: fc.dictionary(host, fc.oneof(word, address), { maxKeys: 2, noNullPrototype: true }),
    hosts: fc.array(host, { maxLength: 3 }),
    addresses: fc.array(address, { maxLength: 2 }),
    ports: fc.array(
      fc.record({ number: fc.nat(70_000), name: word, protocol: fc.constantFrom('HTTP', 'TCP', 'dubbo', '') }),
      { maxLength: 2 },
    ),
    resolution: fc.nat(3),
    endpoints: fc.array(
      fc.record({ address, labels, locality: fc.tuple(word, word).map((parts) => parts.join('/')) }),
      {
        maxLength: 3,
      },
    ),
    exportTo: fc.subarray(['.', '*', 'somewhere'], { maxLength: 2 }),
  })
  .map(({ name: named, labels: metadataLabels, annotations, ...spec }) => ({
    texts: [
      [named],
      spec.hosts,
      spec.addresses,
      spec.exportTo,
      entriesOf(metadataLabels),
      entriesOf(annotations),
      ...spec.endpoints.map((endpoint) => [endpoint.address, endpoint.locality, ...entriesOf(endpoint.labels)]),
    ].flat(),
    bytes: serviceEntryResource(named, spec, { labels: metadataLabels, annotations }),
  }));

const entriesOf = (map: Readonly<Record<string, string>>): string[] => Object.entries(map).flat();

/** Texts that stay, since they name nobody. */
const isPublic = (text: string) => /^[0.:/]*$/.test(text) || /^::1?\/?\d*$/.test(text) || text.includes('127.');

test('no text of four characters or more is left, and a bridge makes of it what it made of the original', async () => {
  const seen = { upserts: 0, quarantined: 0, faults: 0 };
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 8 }), fc.array(word, { maxLength: 2 }), async (entries, removed) => {
      const resources = entries.map(({ bytes }) => bytes);
      const original = resourcesBytes(se, '1', resources, { removedResources: removed });
      const found = redacted(original);
      expect(found.length).toBe(original.length);
      const texts = [...removed, ...entries.flatMap((one) => one.texts)];
      for (const text of texts) if (text.length >= 4 && !isPublic(text)) expect(found.includes(text), text).toBe(false);
      const verdict = await verdictOf(original);
      expect(await verdictOf(found)).toEqual(verdict);
      seen.upserts += verdict.upserts;
      seen.quarantined += verdict.quarantined.length;
      seen.faults += verdict.faults.filter((fault) => fault !== '').length;
    }),
    // One seed: what is left by chance would be no leak.
    { numRuns: 300, seed: 1 },
  );
  // It has seen all that it is about.
  for (const count of Object.values(seen)) expect(count).toBeGreaterThan(50);
});

test('redacted again, it has the same shape, and the bridge the same to say', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(entry, { maxLength: 5 }), async (entries) => {
      const original = resourcesBytes(
        se,
        '1',
        entries.map(({ bytes }) => bytes),
      );
      const once = redacted(original);
      const twice = fresh(8).message(resourcesType, once);
      expect(shapeOf(twice)).toBe(shapeOf(once));
      expect(await verdictOf(twice)).toEqual(await verdictOf(original));
    }),
    { numRuns: 100 },
  );
});

const shapeOf = (bytes: Buffer) =>
  bytes.toString('latin1').replaceAll(/[a-z]/g, 'a').replaceAll(/[A-Z]/g, 'A').replaceAll(/\d/g, '0');

/** A last label that is a number of more than 64 bits: which it is then, is left to chance. */
const beyond = 'a domain one beyond it';

describe.each([...new Set(validationCases.map(({ kind }) => kind))])('of a %s', (kindName) => {
  const kind = kindNamed(kindName);

  test.each(validationCases.filter((one) => one.kind === kindName && one.title !== beyond))(
    '$title: Istio says the same',
    (one) => {
      const { subject, spec } = one;
      const found = bodyAndViolations(kind, subject, spec);
      if (found === undefined) throw new Error('it is no body');
      const { namespace, name: own, annotations = {} } = subject;
      const original = encodeResourceMessage({
        name: `${namespace}/${own}`,
        annotations,
        bodyType: kind.body,
        body: found.body,
      });
      expect(faultOf(kind.id, redactedResource(original))?.reason).toBe(faultOf(kind.id, original)?.reason);
    },
  );
});

describe.each(kinds.map(({ kind }) => kind))('of every field of a %s', (kindName) => {
  test('length, numbers and fields stay', () => {
    const { resources } = parseYaml(sampleOf(kindName).text, `${kindName}.yaml`);
    expect(resources.length).toBeGreaterThan(0);
    for (const { kind, namespace, name: own, body } of resources) {
      const original = encodeResourceMessage({ name: `${namespace}/${own}`, bodyType: kind.body, body });
      const found = redactedResource(original);
      expect(found.length).toBe(original.length);
      expect(specShape(kind, viewResourceBytes(found).body)).toBe(specShape(kind, body));
      expect(faultOf(kind.id, found)?.reason).toBe(faultOf(kind.id, original)?.reason);
    }
  });
});

/** A body for people, with all texts that are of one form made one. */
function specShape(kind: Kind, body: Buffer): string {
  const { spec, problems } = bodyToJson(kind, body);
  expect(problems).toEqual([]);
  // Binary content is zeros afterwards.
  return shapeOf(Buffer.from(JSON.stringify(spec).replaceAll(/"bytes":"[^"]*"/g, '"bytes":""')));
}

test('equal texts stay equal, others different: duplicates, conflicts and references can be seen', () => {
  const resources = [
    serviceEntryResource('shop/orders', { hosts: ['orders.shop'], endpoints: [{ address: '10.0.0.1' }] }),
    serviceEntryResource('shop/orders', { hosts: ['orders.shop'], endpoints: [{ address: '10.0.0.2' }] }),
    serviceEntryResource('bank/orders', { hosts: ['orders.shop'] }),
  ];
  const [a, b, c] = resourcesIn(redacted(resourcesBytes(se, '1', resources))).map((one) => viewResourceBytes(one));
  expect(a?.name).toBe(b?.name);
  expect(a?.body.equals(b?.body ?? Buffer.alloc(0))).toBe(false);
  expect(c?.name.split('/')[1]).toBe(a?.name.split('/')[1]);
  expect(c?.name).not.toBe(a?.name);
});

test('versions and nonces stay: a constant one, a counter, a time', () => {
  const body = serviceEntryBody({ hosts: ['orders.shop'] });
  const resource = encodeResourceMessage({ name: 'a/b', version: 'v1', bodyType: serviceEntry.body, body });
  const nonce = '2026-11-23 06:46:19.159701788 +0000 UTC m=+0.101981499';
  const found = redacted(resourcesBytes(se, nonce, [resource], { systemVersionInfo: '17_9' }));
  expect(readResources(found)).toMatchObject({ nonce, systemVersionInfo: '17_9', collection: se });
  expect(resourcesIn(found).map((one) => viewResourceBytes(one).version)).toEqual(['v1']);
});

test('what Kubernetes and Istio named stays; a value of it does not', () => {
  const annotations = { 'networking.istio.io/exportTo': 'warehouse', 'acme.example/team': 'warehouse' };
  const original = serviceEntryResource(
    'shop/orders',
    { hosts: ['a.b'] },
    { labels: { 'istio.io/rev': 'canary' }, annotations },
  );
  const found = viewResourceBytes(redactedResource(original));
  expect(Object.keys(found.labels)).toEqual(['istio.io/rev']);
  expect(found.labels['istio.io/rev']).not.toBe('canary');
  const [key, ...others] = Object.keys(found.annotations).filter((one) => one !== 'networking.istio.io/exportTo');
  expect(others).toEqual([]);
  expect(key).toMatch(/^[a-z]{4}\.[a-z]{7}\/[a-z]{4}$/);
  expect(new Set(Object.values(found.annotations)).size).toBe(1);
});

test('what nobody knows is zeros: fields, and bodies of other types', () => {
  const unknown = field(99, 'secret-token');
  const body = fields(serviceEntryBody({ hosts: ['a.b'] }), unknown);
  const known = encodeResourceMessage({ name: 'a/b', bodyType: serviceEntry.body, body });
  const other = encodeResourceMessage({ name: 'a/c', bodyType: 'acme.Widget', body: Buffer.from('secret-token') });
  const message = Buffer.concat([resourcesBytes(se, '1', [known, other]), unknown]);
  const found = redacted(message);
  expect(found.includes('secret')).toBe(false);
  expect(found.includes('acme')).toBe(false);
  expect(resourcesIn(found).map((one) => viewResourceBytes(one).body.subarray(-12))).toEqual([
    Buffer.alloc(12),
    Buffer.alloc(12),
  ]);
});

test('requests: collections stay, names and reasons do not', () => {
  const request = encodeRequestResources({
    sinkNode: { id: 'galley-sink', annotations: { team: 'warehouse' } },
    collection: se,
    initialResourceVersions: { 'shop/orders': 'v1' },
    responseNonce: '7',
    errorDetail: { code: 3, message: 'unsupported collection "istio/networking/v1alpha3/gateways" of warehouse' },
    incremental: true,
  });
  const found = fresh().message('istio.mcp.v1alpha1.RequestResources', request);
  expect(found.toString('latin1')).not.toMatch(/galley|warehouse|shop|orders/);
  const { errorDetail, initialResourceVersions, ...rest } = decodeRequestResources(found);
  expect(rest).toMatchObject({ collection: se, responseNonce: '7', incremental: true });
  expect(errorDetail?.code).toBe(3);
  expect(errorDetail?.message).toMatch(/^unsupported collection "istio\/networking\/v1alpha3\/gateways" of [a-z]{9}$/);
  expect(Object.values(initialResourceVersions ?? {})).toEqual(['v1']);
});

test('the header, headers and ends: a port, a type and a status stay', () => {
  const redactor = fresh();
  expect(redactor.header(captureHeader)).toMatchObject({
    redacted: true,
    source: expect.stringMatching(/^mcp:\/\/(?!galley)[a-z]{6}\.istio-system:9901$/),
    startedAt: captureHeader.startedAt,
  });
  const trailers = [
    ['grpc-status', '14'],
    ['x-acme-tenant', 'warehouse'],
  ] as const;
  const end = redactor.record({
    type: 'end',
    at: 1,
    stream: 1,
    by: 'source',
    code: 14,
    details: 'connect ECONNREFUSED 10.1.2.3:9901 (warehouse)',
    trailers,
    refusal: false,
  });
  expect(JSON.stringify(end)).not.toMatch(/acme|warehouse|10\.1\.2\.3/);
  expect(end).toMatchObject({ code: 14, details: expect.stringContaining('ECONNREFUSED') });
  expect(JSON.stringify(end)).toContain('["grpc-status","14"]');
});

test('whatever the bytes are, it takes them, keeps their length, and what is malformed stays so', async () => {
  const random = new Random(4711);
  const resources = [legacyResource('shop/orders', 'orders'), legacyResource('shop/carts', 'carts')];
  const good = encodeResources({
    systemVersionInfo: '1',
    collection: se,
    nonce: '1',
    incremental: false,
    resources,
    removedResources: ['shop/gone'],
  });
  let malformed = 0;
  for (let i = 0; i < 3000; i++) {
    const bytes = mutate(good, random);
    const found = redacted(bytes);
    expect(found.length).toBe(bytes.length);
    const before = await verdictOf(bytes).catch((error: Error) => error.name);
    const after = await verdictOf(found).catch((error: Error) => error.name);
    if (before === 'MalformedError') malformed++;
    expect(after, `mutation ${i}: ${bytes.toString('hex')}`).toEqual(before);
  }
  expect(malformed).toBeGreaterThan(100);
});
