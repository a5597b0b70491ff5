import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { kindOf, kinds, type Kind } from '../../../src/model/kinds.ts';
import { bodyFromJson, bodyToJson } from '../../../src/schema/json.ts';
import { toYaml } from '../../../src/schema/object.ts';
import { parseYaml } from '../../../src/schema/yaml.ts';
import { MalformedError } from '../../../src/wire/scan.ts';
import { anySpec, text } from './any-spec.ts';

const some = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<T[]> => fc.array(values, { minLength: 1, maxLength: 4 });
const uint32 = fc.integer({ min: 1, max: 0xffffffff });
const map = <T>(values: fc.Arbitrary<T>): fc.Arbitrary<{ [name: string]: T }> =>
  fc
    .uniqueArray(fc.tuple(text, values), { minLength: 1, maxLength: 5, selector: ([name]) => name })
    .map((entries) => Object.fromEntries(entries));

/** JSON as Kubernetes shows it: any field may be missing, defaults are. */
const workloadEntry = fc.record(
  {
    address: text,
    ports: map(fc.oneof(uint32, fc.constant(0))),
    labels: map(fc.oneof(text, fc.constant(''))),
    network: text,
    locality: text,
    weight: uint32,
    serviceAccount: text,
  },
  { requiredKeys: [] },
);
const port = fc.record({ number: uint32, protocol: text, name: text, targetPort: uint32 }, { requiredKeys: [] });
const serviceEntry = fc.record(
  {
    hosts: some(fc.oneof(text, fc.constant(''))),
    addresses: some(text),
    ports: some(port),
    location: fc.constantFrom('MESH_INTERNAL', 7),
    resolution: fc.constantFrom('STATIC', 'DNS', 'DNS_ROUND_ROBIN', 99, -1),
    endpoints: some(workloadEntry),
    exportTo: some(text),
    subjectAltNames: some(text),
    workloadSelector: fc.record({ labels: map(text) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
);

/** Fields that Istio dropped are carried, with a warning. */
const isNews = ({ message }: { message: string }): boolean => !message.endsWith('istiod 1.9 and newer passes over');

const networking = (name: string): Kind => kindOf('networking.istio.io', name) as Kind;

describe.each([
  { title: 'ServiceEntry, written by hand', kind: networking('ServiceEntry'), specs: serviceEntry },
  { title: 'WorkloadEntry, written by hand', kind: networking('WorkloadEntry'), specs: workloadEntry },
  ...kinds.map((kind) => ({ title: kind.kind, kind, specs: anySpec(kind) })),
])('any $title', ({ kind, specs }: { kind: Kind; specs: fc.Arbitrary<object> }) => {
  const encode = (spec: unknown): Buffer => {
    const { body, problems } = bodyFromJson(kind, spec);
    expect(problems.filter(isNews)).toEqual([]);
    return body as Buffer;
  };

  test('JSON to bytes to JSON is the same', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        expect(bodyToJson(kind, encode(spec))).toEqual({ spec, problems: [] });
      }),
    );
  });

  test('bytes to JSON to bytes is the same for canonical bytes', () => {
    fc.assert(
      fc.property(specs, (spec) => {
        const bytes = encode(spec);
        expect(encode(bodyToJson(kind, bytes).spec).equals(bytes)).toBe(true);
      }),
    );
  });

  test('the order of names in JSON does not show in the bytes', () => {
    const reversed = (json: unknown): unknown => {
      if (Array.isArray(json)) return json.map(reversed);
      if (typeof json !== 'object' || json === null) return json;
      return Object.fromEntries(
        Object.entries(json)
          .toReversed()
          .map(([key, value]) => [key, reversed(value)]),
      );
    };
    fc.assert(
      fc.property(specs, (spec) => {
        expect(encode(reversed(spec))).toEqual(encode(spec));
      }),
    );
  });

  test('YAML of it reads back as the same bytes', () => {
    const head = { apiVersion: `${kind.group}/${kind.versions[0]}`, kind: kind.kind, metadata: { name: 'a' } };
    fc.assert(
      fc.property(specs, (spec) => {
        const { resources, findings } = parseYaml(toYaml([{ ...head, spec }]), 'f.yaml');
        expect(findings.filter(isNews)).toEqual([]);
        expect(resources[0]?.body).toEqual(encode(spec));
      }),
    );
  });

  test('any bytes give JSON or a MalformedError, and bytes changed in one place too', () => {
    const decode = (bytes: Buffer): void => {
      try {
        bodyToJson(kind, bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(MalformedError);
      }
    };
    fc.assert(fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => decode(Buffer.from(bytes))));
    fc.assert(
      fc.property(specs, fc.nat(), fc.integer({ min: 0, max: 255 }), (spec, place, byte) => {
        const bytes = encode(spec);
        if (bytes.length > 0) bytes[place % bytes.length] = byte;
        decode(bytes);
      }),
    );
  });

  test('any JSON as a spec gives a body or an error, and never throws', () => {
    fc.assert(
      fc.property(fc.jsonValue(), specs, (json, spec) => {
        for (const candidate of [json, { ...spec, hosts: json, address: json, endpoints: json, ports: json }]) {
          const { body, problems } = bodyFromJson(kind, candidate);
          expect(body === undefined).toBe(problems.some(({ severity }) => severity === 'error'));
        }
      }),
    );
  });
});

test('any text as a file gives resources and findings, and never throws', () => {
  const line = fc.oneof(
    fc.string(),
    fc.constantFrom(
      '---',
      'kind: ServiceEntry',
      'apiVersion: networking.istio.io/v1',
      'spec:',
      '- a',
      'a: &b',
      '*b',
      '? ',
      '"',
    ),
  );
  fc.assert(
    fc.property(fc.array(line, { maxLength: 12 }), (lines) => {
      const { findings } = parseYaml(lines.join('\n'), 'f.yaml');
      for (const { line: at } of findings) expect(at).toBeLessThanOrEqual(lines.join('\n').split('\n').length);
    }),
  );
});
