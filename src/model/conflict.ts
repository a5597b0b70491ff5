/**
 * What is the matter where several origins hold the same key, or name the same host. A closed set: it is a metric label.
 *
 * Of a key: `equal`: they hold the same content · `merged`: all of their endpoints are sent · `precedence`: they differ,
 * and the first one's is sent · `other_spec`, `other_metadata`, `resolution`: they were to be merged, and cannot be ·
 * `invalid`: one of them breaks a rule of Istio, and gives way to one that does not.
 * Of a host: `same_host`: in one namespace · `same_host_elsewhere`: in several, and others see more than one of them.
 */
export const conflictReasons = [
  'equal',
  'merged',
  'precedence',
  'other_spec',
  'other_metadata',
  'resolution',
  'invalid',
  'same_host',
  'same_host_elsewhere',
] as const;

export type ConflictReason = (typeof conflictReasons)[number];

/** What is done, for people. */
export const conflictActions: Readonly<Record<ConflictReason, string>> = {
  equal: 'they are equal: one of them is sent',
  merged: 'the first one is sent with the endpoints of all',
  precedence: 'the first one is sent, whole',
  other_spec: 'the first one is sent; one that differs in more than its endpoints is left out',
  other_metadata: 'the first one is sent; one with other labels or annotations is left out',
  resolution: 'the first one is sent; one whose endpoints its resolution does not let us add is left out',
  invalid: 'the first one that keeps the rules of Istio is sent; one that breaks a rule is left out',
  same_host: 'all are sent; istiod unites their endpoints',
  same_host_elsewhere: 'all are sent; each namespace sees its own first, and the others one of them',
};

/** True where something that an origin holds is not sent. */
export function leavesOut(reason: ConflictReason): boolean {
  return reason === 'precedence' || reason.startsWith('other_') || reason === 'resolution' || reason === 'invalid';
}

/** What is sent of a key that several origins hold. `mergeEndpoints` is for ServiceEntry; of other kinds the first one's is. */
export const sameKeyPolicies = ['precedence', 'mergeEndpoints'] as const;

/** Whether it is looked for hosts that resources of several origins name. */
export const sameHostPolicies = ['report', 'ignore'] as const;

export type ConflictPolicy = {
  readonly sameKey: (typeof sameKeyPolicies)[number];
  readonly sameHost: (typeof sameHostPolicies)[number];
  /** Whether a form of a key that breaks a rule of Istio gives way to another origin's that does not. @default true */
  readonly refusedGivesWay?: boolean;
};

/** Something that several origins have. */
export type Conflict = {
  /** {@link Kind.id}. */
  readonly kind: string;
  /** What is the same: the `namespace/name` of one resource, or a host that several resources name. */
  readonly same: 'key' | 'host';
  readonly name: string;
  readonly reason: ConflictReason;
  /** In order of precedence. */
  readonly origins: readonly string[];
  /** Of a host: who names it, in order of precedence, a few of them. */
  readonly resources: readonly { readonly origin: string; readonly key: string }[];
  /** When this reason began, in milliseconds since 1970. */
  readonly since: number;
  /** Higher than that of each one that began before. */
  readonly number: number;
};
