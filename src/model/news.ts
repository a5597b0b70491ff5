/**
 * Why an istiod is sent a response. A closed set: it is a metric label. `subscription`: it has asked for the type on this
 * stream · `change`: a source has said something · `release`: the guard has let removals go · `reload`: sources came, left,
 * or have another order · `verdict`: a form that breaks a rule of Istio gives way to another source's.
 */
export const pushCauses = ['subscription', 'change', 'release', 'reload', 'verdict'] as const;

export type PushCause = (typeof pushCauses)[number];

/** What a publication brings of one kind, however many changes it is made of. */
export type News = {
  /** When the oldest of them came in, by the clock: a message of a source as soon as it was there whole. */
  readonly since: number;
  /** That of the oldest. */
  readonly cause: PushCause;
};
