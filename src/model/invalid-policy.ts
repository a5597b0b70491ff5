/** What is done with a resource that breaks a rule of Istio. */
export const invalidPolicies = ['keepLastGood', 'report', 'ignore'] as const;
