import { describe, expect, test } from 'vitest';
import { regexFault } from '../../../../src/schema/validate/regex.ts';
import { validate } from '../../../../src/schema/validate/validate.ts';
import { violationText } from '../../../../src/schema/validate/violation.ts';
import { validationCases } from '../../../support/validation/all.ts';
import { bodyAndViolations, codesOf, kindNamed } from '../../../support/validation/found.ts';

const it = { namespace: 'shop', name: 'it' };
const entry = kindNamed('ServiceEntry');

test('a violation says where it is, what is wrong, what istiod does and what to do', () => {
  const spec = { hosts: ['a.example', '*'], ports: [{ number: 80, name: 'http' }] };
  const violations = validate(entry, it, spec);
  expect(violations).toEqual([
    {
      code: 'hosts',
      path: ['spec', 'hosts', 1],
      message: '"*" is no host of a service',
      hint: 'name a host, or a part as in "*.example.com"',
    },
  ]);
  expect(violations.map(violationText)).toEqual([
    'spec.hosts[1]: "*" is no host of a service: istiod from 1.14 on refuses the resource and keeps the form that it has; name a host, or a part as in "*.example.com"',
  ]);
});

test('every rule that is broken is named, and all of them are', () => {
  const spec = {
    ports: [{ number: 0, name: 'a b', protocol: 'SMTP' }],
    addresses: ['x'],
    endpoints: [{}],
    exportTo: ['a.b'],
  };
  expect(codesOf(validate(entry, it, spec))).toEqual([
    'addresses',
    'endpoints',
    'export_to',
    'missing',
    'ports',
    'protocols',
  ]);
});

test('sentences begin where a path ends, and end without a full stop', () => {
  const bad = validationCases.flatMap(
    ({ kind, subject, spec }) => bodyAndViolations(kindNamed(kind), subject, spec)?.violations ?? [],
  );
  expect(bad.length).toBeGreaterThan(300);
  for (const { message, hint, path } of bad) {
    expect(message).toMatch(/^\S.*[^.\s]$/s);
    expect(hint).toMatch(/^[a-z].*[^.\s]$/s);
    expect(['spec', 'metadata']).toContain(path[0]);
  }
});

test('a dry run is for an AuthorizationPolicy, of all kinds that have rules', () => {
  const annotations = { 'istio.io/dry-run': 'true' };
  const withRules = [...new Set(validationCases.map(({ kind }) => kind))];
  const refused = withRules.filter((kind) => {
    const violations = validate(kindNamed(kind), { ...it, annotations }, {});
    return violations.some(({ code }) => code === 'annotations');
  });
  expect(refused).toEqual(withRules.filter((kind) => kind !== 'AuthorizationPolicy'));
  expect(refused).toHaveLength(10);
});

describe('nothing is said', () => {
  test('of a kind without rules', () => {
    expect(validate(kindNamed('Telemetry'), { ...it, annotations: { 'istio.io/dry-run': 'x' } }, {})).toEqual([]);
  });

  test('of what Istio makes of the Gateway API itself', () => {
    const annotations = { 'internal.istio.io/gateway-semantics': 'gateway' };
    expect(validate(kindNamed('Gateway'), { ...it, name: 'a.b', annotations }, {})).toEqual([]);
    expect(codesOf(validate(kindNamed('Gateway'), { ...it, name: 'a.b' }, {}))).toEqual(['missing', 'names']);
  });

  test('of values that only a later proto names', () => {
    const spec = { hosts: ['*.example.com'], resolution: 9, ports: [{ number: 80, name: 'http', protocol: 'HTTP' }] };
    expect(validate(entry, it, spec)).toEqual([]);
  });
});

test.each([
  ['a(b)[c]d{1,2}\\(', undefined],
  ['[a(]', undefined],
  ['[^]a]', undefined],
  ['[[:alpha:]]', undefined],
  ['[a\\]]', undefined],
  ['\\Q(', undefined],
  ['\\Q(\\E)', 'has a ")" too many'],
  ['(?P<a>b)', undefined],
  ['(', 'lacks a ")"'],
  ['[[:alpha:]', 'lacks a "]"'],
  ['(a)\\2', 'has a back-reference, "\\2"'],
  ['\\18', 'has a back-reference, "\\1"'],
  ['\\17', undefined],
  ['(?<=a)', 'has look-around or another group that RE2 lacks, "(?<="'],
  ['(?>a)', 'has look-around or another group that RE2 lacks, "(?>a"'],
])('the regular expression %s: %s', (regex, fault) => {
  expect(regexFault(regex)).toBe(fault);
});
