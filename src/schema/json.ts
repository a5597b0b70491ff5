import { kinds, type Kind } from '../model/kinds.ts';
import { canonicalise } from '../wire/canonical.ts';
import { shapes } from '../wire/shapes.ts';
import { typeOfBody } from './descriptor.ts';
import { messageFromJson } from './from-json.ts';
import type { Path, Problem } from './problem.ts';
import { messageToJson } from './to-json.ts';

/**
 * The kind that a body of that full name is. The version of the package is not looked at: sources also send
 * `istio.networking.v1beta1.ServiceEntry`, which has the same fields.
 */
export function kindOfBody(bodyType: string): Kind | undefined {
  const wanted = withoutVersion(bodyType);
  return kinds.find((kind) => withoutVersion(kind.body) === wanted);
}

const withoutVersion = (name: string): string => name.replace(/\.v\d[a-z0-9]*\./, '.');

/**
 * Encodes a `spec` as the body of a resource, in canonical order (fields by number, maps by name).
 * `body` is undefined where a problem is an error. Paths begin with `path`.
 */
export function bodyFromJson(
  kind: Kind,
  json: unknown,
  path: Path = ['spec'],
): { body: Buffer | undefined; problems: Problem[] } {
  const type = typeOfBody(kind);
  const problems: Problem[] = [];
  const message = messageFromJson(type, json, path, problems);
  if (problems.some((problem) => problem.severity === 'error')) return { body: undefined, problems };
  const body = Buffer.from(type.encode(message).finish());
  canonicalise(body, 0, body.length, shapes[kind.body] ?? {});
  return { body, problems };
}

/**
 * Decodes the body of a resource to its `spec`, as Kubernetes shows it: defaults are left out. Bytes that the
 * message of proto/ does not explain are left out of the spec and named in `problems`, never dropped in silence.
 *
 * @throws MalformedError where the bytes are no protobuf message.
 */
export function bodyToJson(kind: Kind, body: Buffer): { spec: object; problems: Problem[] } {
  const problems: Problem[] = [];
  const spec = messageToJson(typeOfBody(kind), body, ['spec'], problems) as object;
  return { spec, problems };
}
