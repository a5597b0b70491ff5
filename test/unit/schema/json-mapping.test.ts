import protobuf from 'protobufjs';
import { describe, expect, test } from 'vitest';
import { kindOf, type Kind } from '../../../src/model/kinds.ts';
import { messageFromJson } from '../../../src/schema/from-json.ts';
import { bodyFromJson, bodyToJson, kindOfBody } from '../../../src/schema/json.ts';
import { pathText, type Problem } from '../../../src/schema/problem.ts';
import { messageToJson } from '../../../src/schema/to-json.ts';
import { MalformedError } from '../../../src/wire/scan.ts';

const serviceEntry = kindOf('networking.istio.io', 'ServiceEntry') as Kind;

/** Each problem as `severity path: message; hint`. */
const lines = (problems: readonly Problem[]): string[] =>
  problems.map(({ severity, path, message, hint }) => `${severity} ${pathText(path)}: ${message}; ${hint}`);

/** What is said of a ServiceEntry; no body goes with an error. */
function said(spec: unknown): string[] {
  const { body, problems } = bodyFromJson(serviceEntry, spec);
  expect(body === undefined).toBe(problems.some(({ severity }) => severity === 'error'));
  return lines(problems);
}

const { root } = protobuf.parse(`
  syntax = "proto3";
  package t;
  message All {
    int32 i32 = 1; sint32 s32 = 2; sfixed32 sf32 = 3; uint32 u32 = 4; fixed32 f32 = 5;
    int64 i64 = 6; sint64 s64 = 7; sfixed64 sf64 = 8; uint64 u64 = 9; fixed64 f64 = 10;
    float flt = 11; double dbl = 12; bool yes = 13; bytes raw = 14; string text = 15;
    repeated int32 packed = 16; repeated int32 loose = 17 [packed = false]; repeated Color colors = 18;
    map<int64, string> by_number = 19; map<string, All> nested = 20; map<string, Color> paint = 21;
    oneof choice { string one = 22; All other = 23; uint32 third = 24; }
    optional uint32 maybe = 25;
    uint32 consecutive_5xx_errors = 26;
    uint32 odd = 27 [json_name = "strange"];
    google.protobuf.Value any_json = 28;
    repeated google.protobuf.Value values = 29;
  }
  enum Color { RED = 0; GREEN = 1; }
`);
root.addJSON(protobuf.common.get('google/protobuf/struct.proto')?.nested ?? {});
const all = root.resolveAll().lookupType('t.All');

/** JSON → bytes → JSON, with everything that was said on the way. */
function there(json: unknown): { json: unknown; said: string[] } {
  const problems: Problem[] = [];
  const bytes = all.encode(messageFromJson(all, json, [], problems)).finish();
  return { json: messageToJson(all, Buffer.from(bytes), [], problems), said: lines(problems) };
}

describe('JSON to bytes', () => {
  test('takes lowerCamelCase and the names of the .proto file', () => {
    const snake = bodyFromJson(serviceEntry, { export_to: ['.'], ports: [{ number: 1, target_port: 2 }] });
    const camel = bodyFromJson(serviceEntry, { exportTo: ['.'], ports: [{ number: 1, targetPort: 2 }] });
    expect(snake).toEqual(camel);
    expect(there({ consecutive_5xx_errors: 1 }).json).toEqual({ consecutive5xxErrors: 1 });
    expect(there({ consecutive5xxErrors: 1, strange: 2 })).toEqual({
      json: { consecutive5xxErrors: 1, strange: 2 },
      said: [],
    });
  });

  test('takes enums by name and by number, and carries numbers that it does not know', () => {
    const bodies = ['DNS', 2].map((resolution) => bodyFromJson(serviceEntry, { resolution }).body?.toString('hex'));
    expect(bodies).toEqual(['2802', '2802']);
    expect(there({ colors: ['GREEN', 0, 7], paint: { a: 'RED', b: 9 } }).json).toEqual({
      colors: ['GREEN', 'RED', 7],
      paint: { a: 'RED', b: 9 },
    });
    expect(said({ resolution: 'dns' })).toEqual([
      'error spec.resolution: "dns" is no value of Resolution; did you mean DNS? Otherwise write one of NONE, STATIC, DNS, DNS_ROUND_ROBIN, DYNAMIC_DNS',
    ]);
  });

  test('takes every integer type as number or text, within its range', () => {
    const extremes = {
      i32: -2147483648,
      s32: -2147483648,
      sf32: 2147483647,
      u32: 4294967295,
      f32: 4294967295,
      i64: '-9223372036854775808',
      s64: '-9223372036854775808',
      sf64: '9223372036854775807',
      u64: '18446744073709551615',
      f64: '18446744073709551615',
    };
    expect(there(extremes)).toEqual({ json: extremes, said: [] });
    expect(there(Object.fromEntries(Object.entries(extremes).map(([k, v]) => [k, String(v)]))).json).toEqual(extremes);
    expect(there({ i64: 9007199254740991 }).json).toEqual({ i64: '9007199254740991' });
    expect(there({ i64: 9007199254740992 }).said).toEqual([
      'error i64: expected a whole number, found 9007199254740992; put it in quotes: it is too large for JSON',
    ]);
    for (const bad of [
      { i32: 2147483648 },
      { u32: -1 },
      { u32: 1.5 },
      { s64: '9223372036854775808' },
      { u64: '1e3' },
    ]) {
      expect(there(bad)).toMatchObject({ json: {}, said: [expect.stringContaining('expected a whole number')] });
    }
  });

  test('takes floating point as number or text, bytes in either base64', () => {
    expect(there({ flt: 0.1, dbl: '1e-3' }).json).toEqual({ flt: 0.1, dbl: 0.001 });
    expect(there({ flt: 'NaN', dbl: '-Infinity' }).json).toEqual({ flt: 'NaN', dbl: '-Infinity' });
    expect(there({ dbl: -0 }).json).toEqual({ dbl: -0 });
    for (const bad of [{ flt: 1e39 }, { dbl: '1e999' }, { dbl: 'inf' }, { dbl: '' }, { dbl: true }]) {
      expect(there(bad).said).toHaveLength(1);
    }
    expect(there({ raw: '+/8=' }).json).toEqual({ raw: '+/8=' });
    expect(there({ raw: '-_8' }).json).toEqual({ raw: '+/8=' });
    expect(there({ raw: 'a' }).said).toEqual([
      'error raw: expected bytes in base64, found "a"; encode the value with base64',
    ]);
  });

  test('null is absent; in a list or a map it is an error; in a Value it is null', () => {
    expect(there({ i32: null, nested: null, packed: null, other: null })).toEqual({ json: {}, said: [] });
    expect(there({ anyJson: null, values: [null, 1] })).toEqual({
      json: { anyJson: null, values: [null, 1] },
      said: [],
    });
    expect(said({ hosts: ['a', null] })).toEqual(['error spec.hosts[1]: is empty; write a value, or remove the line']);
    expect(said({ endpoints: [{ ports: { http: null } }] })).toEqual([
      'error spec.endpoints[0].ports.http: is empty; write a value, or remove the line',
    ]);
  });

  test('refuses two members of a oneof, and one field under both of its names', () => {
    expect(there({ one: 'a', third: 0 }).said).toEqual([
      'error third: excludes "one", which is set too; keep one of them',
    ]);
    expect(there({ one: null, third: 0 })).toEqual({ json: { third: 0 }, said: [] });
    expect(said({ exportTo: ['.'], export_to: ['*'] })).toEqual([
      'error spec.export_to: is given twice, as "exportTo" and under its other name; keep one of them',
    ]);
  });

  test('a default with presence is written, one without is not', () => {
    expect(there({ maybe: 0, u32: 0, text: '', third: 0, yes: false, packed: [], nested: {} }).json).toEqual({
      maybe: 0,
      third: 0,
    });
  });

  test('maps take names that mean something to JavaScript, and numbers as names', () => {
    const labels = JSON.parse('{"__proto__": "a", "constructor": "b", "10": "c", "9": "d"}') as object;
    const { body, problems } = bodyFromJson(serviceEntry, { endpoints: [{ labels }] });
    expect(problems).toEqual([]);
    expect(JSON.stringify(bodyToJson(serviceEntry, body as Buffer).spec)).toContain('"__proto__":"a"');
    expect(there({ byNumber: { '-5': 'a', '0': 'b' } }).json).toEqual({ byNumber: { '-5': 'a', '0': 'b' } });
    expect(there({ byNumber: { five: 'a' } }).said).toEqual([
      'error byNumber.five: expected a whole number as a name; write a whole number from -9223372036854775808 to 9223372036854775807',
    ]);
  });

  test('an unknown field is a warning that names what was meant, and costs nothing else', () => {
    const { body, problems } = bodyFromJson(serviceEntry, { hosts: ['a'], endpoint: [], wholly: 1 });
    expect(lines(problems)).toEqual([
      'warning spec.endpoint: is no known field; it is left out; did you mean "endpoints"?',
      'warning spec.wholly: is no known field; it is left out; its fields are hosts, addresses, ports, location, resolution, endpoints, exportTo, subjectAltNames, workloadSelector',
    ]);
    expect(body).toEqual(bodyFromJson(serviceEntry, { hosts: ['a'] }).body);
  });

  test('says all that is wrong at once, each with its path and what to do', () => {
    expect(
      said({
        hosts: 'a.example.com',
        ports: [{ number: 'http' }, 80],
        endpoints: [{}, {}, { ports: { http: '80x' }, labels: { 'app.kubernetes.io/version': 1 } }],
        workloadSelector: ['app'],
        subjectAltNames: ['\ud800'],
      }),
    ).toEqual([
      'error spec.hosts: expected a list, found "a.example.com"; begin each element with "- "',
      'error spec.ports[0].number: expected a whole number, found "http"; write a whole number from 0 to 4294967295',
      'error spec.ports[1]: expected an object, found 80; its fields are number, protocol, name, targetPort',
      'error spec.endpoints[2].ports.http: expected a whole number, found "80x"; write a whole number from 0 to 4294967295',
      'error spec.endpoints[2].labels["app.kubernetes.io/version"]: expected text, found 1; put it in quotes: "1"',
      'error spec.workloadSelector: expected an object, found a list; its fields are labels',
      'error spec.subjectAltNames[0]: expected valid Unicode, found "\\ud800"; remove the half of a surrogate pair',
    ]);
    expect(said('text')).toEqual([expect.stringMatching(/^error spec: expected an object, found "text"/)]);
  });

  test('nesting is bounded', () => {
    let deep: unknown = 1;
    for (let i = 0; i < 50_000; i++) deep = [deep];
    expect(there({ anyJson: deep }).said).toEqual([expect.stringContaining('is nested deeper than 32 levels')]);
  });
});

describe('bytes to JSON', () => {
  const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

  test('names what it does not know instead of dropping it', () => {
    // hosts "a"; field 99 a varint; endpoint { address "b", field 50 of 4 bytes }; ports as a varint.
    const { spec, problems } = bodyToJson(serviceEntry, hex('0a0161 9806 01 3209 0a0162 950301020304 1805'));
    expect(spec).toEqual({ hosts: ['a'], endpoints: [{ address: 'b' }] });
    const hint = 'it is left out of this view; the bytes themselves are carried as they are';
    expect(lines(problems)).toEqual([
      `warning spec: field number 99 (wire type 0, 1 bytes) is not known here; ${hint}`,
      `warning spec: field number 3 (wire type 0, 1 bytes) is not known here; ${hint}`,
      `warning spec.endpoints[0]: field number 50 (wire type 5, 4 bytes) is not known here; ${hint}`,
    ]);
  });

  test('text that is no UTF-8 is named and left out', () => {
    const { spec, problems } = bodyToJson(serviceEntry, hex('0a02c328 0a0161'));
    expect(spec).toEqual({ hosts: ['a'] });
    expect(lines(problems)).toEqual([expect.stringMatching(/^warning spec\.hosts\[0\]: is no UTF-8 text/)]);
  });

  test('a message field that comes twice is merged, a scalar keeps its last value, a oneof its last member', () => {
    // workload_selector { labels a: 1 }, { labels b: 2 }; resolution 1, then 2.
    const twice = hex('4a08 0a06 0a0161 120131 4a08 0a06 0a0162 120132 2801 2802');
    expect(bodyToJson(serviceEntry, twice).spec).toEqual({
      resolution: 'DNS',
      workloadSelector: { labels: { a: '1', b: '2' } },
    });
    const oneof = Buffer.concat([
      all.encode({ one: 'x' }).finish(),
      all.encode({ other: { i32: 1 } }).finish(),
      all.encode({ third: 5 }).finish(),
    ]);
    expect(messageToJson(all, oneof, [], [])).toEqual({ third: 5 });
  });

  test('lists of numbers come packed or not', () => {
    const packed = all.encode({ packed: [1, -1], loose: [300, 2] }).finish();
    expect(messageToJson(all, Buffer.from(packed), [], [])).toEqual({ packed: [1, -1], loose: [300, 2] });
    // The other way round: field 16 element by element, field 17 packed.
    expect(messageToJson(all, hex('800101 800102 8a01020304'), [], [])).toEqual({ packed: [1, 2], loose: [3, 4] });
  });

  test('a long list costs no more for each element than a short one', () => {
    // 300,000 empty hosts; where each one copied those before it, this took more than ten minutes.
    const { spec } = bodyToJson(serviceEntry, Buffer.alloc(600_000, '0a00', 'hex'));
    expect((spec as { hosts: string[] }).hosts).toHaveLength(300_000);
  });

  test('a map entry without name or value has their defaults', () => {
    // ports {}, { key "a" }, { value 5, then 6, field 3 }
    const { spec, problems } = bodyToJson(serviceEntry, hex('320f 1200 1203 0a0161 1206 1005 1006 1801'));
    expect(spec).toEqual({ endpoints: [{ ports: { '': 6, a: 0 } }] });
    expect(lines(problems)).toEqual([expect.stringContaining('spec.endpoints[0].ports: field 3 of an entry')]);
  });

  test('bytes that are no message throw', () => {
    for (const bad of ['0a05 61', '0a', 'ff', '3203 0a05 61', '00 00', '0b', '3202 1205']) {
      expect(() => bodyToJson(serviceEntry, hex(bad)), bad).toThrow(MalformedError);
    }
    let deep = Buffer.alloc(0);
    for (let i = 0; i < 200; i++) deep = Buffer.from(wrap(deep));
    expect(() => messageToJson(all, deep, [], [])).toThrow('nested deeper than 100');
  });

  /** `other { … }` around a message. */
  function wrap(inner: Uint8Array): Uint8Array {
    const writer = protobuf.Writer.create();
    return writer
      .uint32((23 << 3) | 2)
      .bytes(inner)
      .finish();
  }
});

test('a kind is known by its body under any version of its package', () => {
  expect(kindOfBody('istio.networking.v1alpha3.ServiceEntry')).toBe(serviceEntry);
  expect(kindOfBody('istio.networking.v1beta1.ServiceEntry')).toBe(serviceEntry);
  expect(kindOfBody('istio.networking.v1.ServiceEntry')).toBe(serviceEntry);
  expect(kindOfBody('istio.mesh.v1alpha1.MeshConfig')).toBeUndefined();
});
