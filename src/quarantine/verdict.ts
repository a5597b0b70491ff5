import type { Fault } from '../model/change.ts';
import { kindOfId, type Kind } from '../model/kinds.ts';
import { bodyToJson } from '../schema/json.ts';
import { pathText } from '../schema/problem.ts';
import { validate } from '../schema/validate/validate.ts';
import { violationText } from '../schema/validate/violation.ts';
import { newResourceParts, scanResource } from '../wire/resource-parts.ts';
import { viewResourceBytes } from '../wire/resource-view.ts';
import { MalformedError } from '../wire/scan.ts';

/** Violations that are told of one resource. */
const maxTold = 3;

/** Of the resource that is looked at; one object serves for all. */
const parts = newResourceParts();

/** What every istiod does with a body that it can't decode (pkg/adsc/adsc.go mcpToPilot, 1.9 to 1.31). */
const undecodable = 'cannot decode it, and deletes what it has of it';

/**
 * What is wrong with a resource, by the rules of Istio; undefined where nothing is, or where nobody can tell: it has
 * fields that a newer Istio may know.
 *
 * @param bytes an `istio.mcp.v1alpha1.Resource` whose envelope is right.
 */
export function faultOf(kindId: string, bytes: Uint8Array): Fault | undefined {
  const kind = kindOfId(kindId);
  if (kind === undefined) return undefined;
  scanResource(bytes, 0, bytes.length, parts);
  const resource = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
  const key = parts.nameStart < 0 ? '' : resource.toString('utf8', parts.nameStart, parts.nameEnd);
  const body = resource.subarray(Math.max(parts.valueStart, 0), Math.max(parts.valueEnd, 0));
  const annotations = parts.annotations.length === 0 ? {} : viewResourceBytes(bytes).annotations;
  let read: ReturnType<typeof bodyToJson>;
  try {
    read = bodyToJson(kind, body);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    return { reason: 'malformed', message: `its body is no ${kind.body}: ${error.message}: istiod ${undecodable}` };
  }
  const noText = read.problems.find(({ notText }) => notText === true);
  if (noText !== undefined) {
    const what = `${pathText(noText.path)} holds text that is no valid UTF-8`;
    return { reason: 'malformed', message: `${what}: istiod from 1.14 on ${undecodable}` };
  }
  if (read.problems.length > 0) return undefined;
  return brokenRules(kind, key, annotations, read.spec);
}

function brokenRules(
  kind: Kind,
  key: string,
  annotations: Readonly<Record<string, string>>,
  spec: object,
): Fault | undefined {
  const slash = key.indexOf('/');
  const subject = { namespace: key.slice(0, slash), name: key.slice(slash + 1), annotations };
  const violations = validate(kind, subject, spec);
  const [first] = violations;
  if (first === undefined) return undefined;
  const told = violations.slice(0, maxTold).map(violationText);
  if (violations.length > told.length) told.push(`and ${violations.length - told.length} more`);
  return { reason: `invalid_${first.code}`, message: told.join(' · ') };
}
