/** Why an istiod drops a resource that has the label `istio.io/rev`, or does not. A closed set: it is a metric label. */
export const labelReasons = [
  'own_revision',
  'label_ignored',
  'takes_all',
  'no_revision',
  'other_revision',
  'unknown_revision',
  'unknown_version',
] as const;

export type LabelReason = (typeof labelReasons)[number];
