import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { isAnyOn, type RepairOptions, repairServiceEntry } from '../../../src/wire/body-repairs.ts';
import { bodies } from '../../../src/wire/root.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { serviceEntry, serviceEntryBody } from '../../support/resources.ts';
import { field, fields, truncated } from '../../support/wire-bytes.ts';

const none: RepairOptions = { invalidLabels: false, hostColons: false, zeroPorts: false, servicePorts: false };
const all: RepairOptions = {
  invalidLabels: true,
  hostColons: true,
  missingDot: 'nacos',
  zeroPorts: true,
  servicePorts: true,
};

type Spec = {
  readonly hosts?: readonly string[];
  readonly ports?: readonly { readonly number?: number; readonly name?: string; readonly protocol?: string }[];
  readonly endpoints?: readonly {
    readonly address?: string;
    readonly ports?: Readonly<Record<string, number>>;
    readonly labels?: Readonly<Record<string, string>>;
  }[];
};

/** What becomes of a spec, and what was done; undefined where nothing was. */
function repair(spec: Spec, options: Partial<RepairOptions>) {
  const repaired = repairServiceEntry(serviceEntryBody(spec), { ...none, ...options });
  if (repaired === undefined) return undefined;
  return { spec: read(repaired.body), done: [...repaired.done] };
}

function read(body: Buffer): Spec {
  const type = bodies().lookupType(serviceEntry.body);
  return type.toObject(type.decode(body));
}

const http = (number: number) => ({ number, name: 'http', protocol: 'HTTP' });
const at = (...ports: readonly Readonly<Record<string, number>>[]) =>
  ports.map((one, i) => ({ address: `10.0.0.${i + 1}`, ports: one }));

describe('labels of endpoints', () => {
  test('that Istio refuses are left out; the others, and everything else, stay', () => {
    const labels = { app: 'web', 'dubbo path': 'x', empty: '', 'example.com/zone': 'a', version: 'not valid!' };
    const spec = { hosts: ['a'], endpoints: [{ address: '10.0.0.1', labels }, { address: '10.0.0.2' }] };
    expect(repair(spec, { invalidLabels: true })).toEqual({
      spec: {
        hosts: ['a'],
        endpoints: [
          { address: '10.0.0.1', labels: { app: 'web', empty: '', 'example.com/zone': 'a' } },
          { address: '10.0.0.2' },
        ],
      },
      done: ['invalid_labels'],
    });
  });
});

describe('hosts', () => {
  test.each([
    ['providers:com.example.Orders:1.0:', 'providers-com.example.Orders-1.0'],
    ['providers:com.example.Orders:1.0:.nacos', 'providers-com.example.Orders-1.0.nacos'],
    ['a::b:.c', 'a-b.c'],
    [':a', 'a'],
  ])('with colons: %s becomes %s', (host, wanted) => {
    expect(repair({ hosts: [host] }, { hostColons: true })).toEqual({
      spec: { hosts: [wanted] },
      done: ['host_colons'],
    });
  });

  test('of colons alone stay: nothing would be left', () => {
    expect(repair({ hosts: ['::'] }, { hostColons: true })).toBeUndefined();
  });

  test.each([
    ['web.GROUP.publicnacos', 'web.GROUP.public.nacos'],
    ['webnacos', 'web.nacos'],
  ])('without the dot before the suffix: %s becomes %s', (host, wanted) => {
    expect(repair({ hosts: [host] }, { missingDot: 'nacos' })).toEqual({
      spec: { hosts: [wanted] },
      done: ['missing_dot'],
    });
  });

  test.each(['web.public.nacos', 'nacos', 'web.public', '.nacos'])(
    'with it, or without the suffix, stay: %s',
    (host) => {
      expect(repair({ hosts: [host] }, { missingDot: 'nacos' })).toBeUndefined();
    },
  );
});

describe('a port with the number 0', () => {
  test.each<[string, Spec['ports'], NonNullable<Spec['endpoints']>, number]>([
    ['by its name', [http(0)], at({ http: 8080 }), 8080],
    ['by its protocol', [{ number: 0, protocol: 'HTTP' }], at({ http: 8080, tcp: 9 }), 8080],
    ['the only one, whatever its name', [http(0)], at({ main: 8080 }), 8080],
    ['the lowest of several', [http(0)], at({ http: 9000 }, { http: 8080 }, { other: 1, more: 2 }), 8080],
  ])('gets that of the endpoints: %s', (_how, ports, endpoints, wanted) => {
    const repaired = repair({ ports: ports ?? [], endpoints }, { zeroPorts: true });
    expect(repaired?.spec.ports?.[0]?.number).toBe(wanted);
    expect(repaired?.done).toEqual(['zero_ports']);
  });

  test.each<[string, Spec]>([
    ['no endpoint has one', { ports: [http(0)], endpoints: [{ address: '10.0.0.1' }] }],
    ['there are no endpoints', { ports: [http(0)] }],
    ['another port has that number', { ports: [http(0), { ...http(8080), name: 'b' }], endpoints: at({ http: 8080 }) }],
    ['several may be meant', { ports: [http(0)], endpoints: at({ a: 1, b: 2 }) }],
  ])('stays where %s', (_why, spec) => {
    expect(repair(spec, { zeroPorts: true })).toBeUndefined();
  });

  test('two of them do not become one', () => {
    const ports = [http(0), { number: 0, name: 'http', protocol: 'HTTP2' }];
    expect(repair({ ports, endpoints: at({ http: 80 }) }, { zeroPorts: true })?.spec.ports).toMatchObject([
      { number: 80 },
      { name: 'http' },
    ]);
  });
});

describe('a fixed port', () => {
  test('gets that of the endpoints where all have the same', () => {
    const spec = { ports: [http(8848)], endpoints: at({ http: 8080 }, { http: 8080 }) };
    const repaired = repair(spec, { servicePorts: true });
    expect(repaired).toEqual({ spec: { ...spec, ports: [http(8080)] }, done: ['service_ports'] });
  });

  test.each<[string, Spec]>([
    ['they differ', { ports: [http(8848)], endpoints: at({ http: 8080 }, { http: 8081 }) }],
    ['one has none', { ports: [http(8848)], endpoints: [...at({ http: 8080 }), { address: '10.0.0.9' }] }],
    ['it is the same', { ports: [http(8080)], endpoints: at({ http: 8080 }) }],
    ['it is 0, which is another repair', { ports: [http(0)], endpoints: at({ http: 8080 }) }],
  ])('stays where %s', (_why, spec) => {
    expect(repair(spec, { servicePorts: true })).toBeUndefined();
  });
});

const text = fc.constantFrom('a', 'http', 'a:b', 'x y', '', 'webnacos', 'web.nacos');
const spec: fc.Arbitrary<Spec> = fc.record({
  hosts: fc.array(text, { maxLength: 3 }),
  ports: fc.array(fc.record({ number: fc.constantFrom(0, 80, 8080), name: text, protocol: text }), { maxLength: 3 }),
  endpoints: fc.array(
    fc.record({
      address: text,
      ports: fc.dictionary(text, fc.constantFrom(0, 80, 9090)),
      labels: fc.dictionary(text, text),
    }),
    { maxLength: 3 },
  ),
});

test('nothing is repaired where nothing is on', () => {
  expect([isAnyOn(none), isAnyOn({ ...none, missingDot: 'x' }), isAnyOn({ ...none, zeroPorts: true })]).toEqual([
    false,
    true,
    true,
  ]);
  fc.assert(fc.property(spec, (one) => repair(one, none) === undefined));
});

test('what was repaired needs no repair, and nothing that was not repaired is lost', () => {
  let repairs = 0;
  fc.assert(
    fc.property(spec, (one) => {
      const unknown = fields(field(77, 'kept'), field(78, 5));
      const body = Buffer.concat([serviceEntryBody(one), unknown]);
      const once = repairServiceEntry(body, all);
      if (once === undefined) return;
      repairs++;
      expect(once.done.size).toBeGreaterThan(0);
      // Where several ports change, one of them may have left its number to another.
      if ((one.ports?.length ?? 0) < 2) expect(repairServiceEntry(once.body, all)).toBeUndefined();
      expect(once.body.subarray(-unknown.length)).toEqual(unknown);
      const after = read(once.body);
      expect(after.hosts?.length).toBe(one.hosts?.length === 0 ? undefined : one.hosts?.length);
      expect(after.endpoints?.map(({ address = '' }) => address) ?? []).toEqual(
        one.endpoints?.map(({ address }) => address),
      );
      expect(after.ports?.map(({ name = '' }) => name) ?? []).toEqual(one.ports?.map(({ name }) => name));
    }),
  );
  expect(repairs).toBeGreaterThan(10);
});

test('so many endpoints as a large service has are no trouble', () => {
  const endpoints = Array.from({ length: 150_000 }, (_, i) => ({ ports: { http: 9000 + (i % 7) } }));
  expect(repair({ ports: [http(0)], endpoints }, { zeroPorts: true })?.spec.ports).toMatchObject([{ number: 9000 }]);
});

test.each([truncated(1), field(6, truncated(3))])('what is no message is said to be none', (body) => {
  expect(() => repairServiceEntry(body, all)).toThrow(MalformedError);
});
