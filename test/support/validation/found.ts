import { kinds, type Kind } from '../../../src/model/kinds.ts';
import { bodyFromJson, bodyToJson } from '../../../src/schema/json.ts';
import { validate } from '../../../src/schema/validate/validate.ts';
import type { Subject, Violation } from '../../../src/schema/validate/violation.ts';

/** The kind of that name, whatever its group. */
export function kindNamed(name: string): Kind {
  const kind = kinds.find((known) => known.kind === name);
  if (kind === undefined) throw new Error(`there is no kind ${name}`);
  return kind;
}

/** A body as it goes over the wire, and what our rules find in it there; undefined for a spec that is none. */
export function bodyAndViolations(
  kind: Kind,
  subject: Subject,
  spec: object,
): { body: Buffer; violations: Violation[] } | undefined {
  const { body, problems } = bodyFromJson(kind, spec);
  if (body === undefined || problems.length > 0) return undefined;
  return { body, violations: validate(kind, subject, bodyToJson(kind, body).spec) };
}

/** Each code once, sorted. */
export const codesOf = (violations: readonly Violation[]): string[] =>
  [...new Set(violations.map(({ code }) => code))].sort();
