import type { Kind } from '../model/kinds.ts';

/** Packages whose messages have the same fields under another version: rewriting the name changes nothing else. */
const siblings: Readonly<Record<string, readonly string[]>> = {
  'istio.networking.v1alpha3': ['istio.networking.v1beta1', 'istio.networking.v1'],
  'istio.security.v1beta1': ['istio.security.v1'],
  'istio.telemetry.v1alpha1': ['istio.telemetry.v1'],
};

/**
 * The names that a body of `kind` may carry. istiod knows only {@link Kind.body}; it drops the later package
 * names, and deletes the object that it had (istiod 1.12 to 1.30, measured), so they are rewritten.
 */
export function acceptedBodies(kind: Kind): ReadonlySet<string> {
  const dot = kind.body.lastIndexOf('.');
  const packages = siblings[kind.body.slice(0, dot)] ?? [];
  return new Set([kind.body, ...packages.map((name) => name + kind.body.slice(dot))]);
}
