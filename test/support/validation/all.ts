import type { ValidationCase } from './case.ts';
import { destinationRuleCases } from './destination-rule.ts';
import { gatewayCases } from './gateways.ts';
import { envoyFilterCases, securityCases } from './security.ts';
import { serviceEntryCases } from './service-entry.ts';
import { virtualServiceCases } from './virtual-service.ts';
import { workloadCases } from './workloads.ts';

/** Of every rule resources that break it, and some just inside; and every difference from Istio that is known. */
export const validationCases: readonly ValidationCase[] = [
  ...serviceEntryCases,
  ...workloadCases,
  ...destinationRuleCases,
  ...virtualServiceCases,
  ...gatewayCases,
  ...securityCases,
  ...envoyFilterCases,
];
