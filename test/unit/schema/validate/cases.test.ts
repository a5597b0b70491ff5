import { describe, expect, test } from 'vitest';
import { violationText } from '../../../../src/schema/validate/violation.ts';
import { validationCases } from '../../../support/validation/all.ts';
import { bodyAndViolations, codesOf, kindNamed } from '../../../support/validation/found.ts';

const kinds = [...new Set(validationCases.map(({ kind }) => kind))];

describe.each(kinds)('%s', (kind) => {
  test.each(validationCases.filter((one) => one.kind === kind))('$title', ({ subject, spec, finds }) => {
    const found = bodyAndViolations(kindNamed(kind), subject, spec);
    expect(found).toBeDefined();
    const violations = found?.violations ?? [];
    expect(codesOf(violations), violations.map(violationText).join('\n')).toEqual([...finds].sort());
  });
});
