import type { Kind } from '../model/kinds.ts';
import { viewResourceBytes } from '../wire/resource-view.ts';
import { bodyFromJson, bodyToJson } from './json.ts';
import { pathText } from './problem.ts';

/** What a resource says, whatever way its bytes or its JSON say it. */
export type Content = {
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** In canonical form: the proto3 JSON mapping, defaults left out. */
  readonly spec: unknown;
  /** What `spec` does not show, one sentence each; empty almost always. */
  readonly notes: readonly string[];
};

/** A resource as a bridge serves it. */
export type ServedContent = Content & {
  /** `namespace/name`. */
  readonly name: string;
  /** '' where it carries none. */
  readonly version: string;
};

/**
 * Reads the bytes of one `istio.mcp.v1alpha1.Resource`, whose body is of that kind.
 * @throws MalformedError where they are none, or its body is no such message.
 */
export function readContent(kind: Kind, bytes: Uint8Array): ServedContent {
  const { name, version, labels, annotations, body } = viewResourceBytes(bytes);
  const { spec, problems } = bodyToJson(kind, body);
  return { name, version, labels, annotations, spec, notes: problems.map(noteOf) };
}

/**
 * Brings a `spec` that another program has written into the form of {@link Content}: numbers, durations, names of fields
 * and defaults are written in several ways.
 *
 * @returns undefined where it is no spec of that kind.
 */
export function canonicalSpec(kind: Kind, json: unknown): Pick<Content, 'spec' | 'notes'> | undefined {
  const { body, problems } = bodyFromJson(kind, json);
  if (body === undefined) return undefined;
  const unknown = problems.filter(({ isDropped }) => isDropped !== true);
  return { spec: bodyToJson(kind, body).spec, notes: unknown.map(noteOf) };
}

const noteOf = ({ path, message }: { path: readonly (string | number)[]; message: string }): string =>
  `${pathText(path)}: ${message}`;
