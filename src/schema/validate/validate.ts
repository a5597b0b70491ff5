import type { Kind } from '../../model/kinds.ts';
import { checkAuthorizationPolicy, dryRun } from './authorization-policy.ts';
import { checkDestinationRule } from './destination-rule.ts';
import { checkEnvoyFilter } from './envoy-filter.ts';
import { checkGateway } from './gateway.ts';
import { checkPeerAuthentication } from './peer-authentication.ts';
import { checkRequestAuthentication } from './request-authentication.ts';
import { checkServiceEntry } from './service-entry.ts';
import { checkSidecar } from './sidecar.ts';
import type { Report, Subject, Violation } from './violation.ts';
import { checkVirtualService } from './virtual-service.ts';
import { checkWorkloadEntry } from './workload-entry.ts';
import { checkWorkloadGroup } from './workload-group.ts';

const authorizationPolicy = 'security.istio.io/AuthorizationPolicy';

/** By `Kind.id`. */
const checks: Readonly<Record<string, (spec: object, subject: Subject, report: Report) => void>> = {
  'networking.istio.io/ServiceEntry': checkServiceEntry,
  'networking.istio.io/WorkloadEntry': checkWorkloadEntry,
  'networking.istio.io/WorkloadGroup': checkWorkloadGroup,
  'networking.istio.io/DestinationRule': checkDestinationRule,
  'networking.istio.io/VirtualService': checkVirtualService,
  'networking.istio.io/Gateway': checkGateway,
  'networking.istio.io/Sidecar': checkSidecar,
  'networking.istio.io/EnvoyFilter': checkEnvoyFilter,
  [authorizationPolicy]: checkAuthorizationPolicy,
  'security.istio.io/PeerAuthentication': checkPeerAuthentication,
  'security.istio.io/RequestAuthentication': checkRequestAuthentication,
};

/** Resources that Istio makes of the Gateway API bear these, and other rules hold for them. */
const internal = /^internal\.istio\.io\//;

/**
 * The rules of Istio that a resource breaks; none for a kind without rules here. A violation counts only where every
 * istiod from 1.14 to 1.31 refuses the resource for it, with the feature flags that it has by default or others: what
 * only some of them refuse is none, nor is what they only warn of. 1.10 to 1.13 refuse nothing; 1.9 has older rules, which were not compared.
 * So a violation found here is one, while a resource without any may yet be refused; docs/validation.md says by which
 * rules.
 *
 * `spec` is what bodyToJson gives. Where that left out fields that it does not know, don't ask: what is empty here may
 * not be so for a newer istiod.
 */
export function validate({ id }: Kind, subject: Subject, spec: object): Violation[] {
  const violations: Violation[] = [];
  const annotations = Object.keys(subject.annotations ?? {});
  if (annotations.some((name) => internal.test(name))) return violations;
  const report: Report = (code, path, message, hint) => void violations.push({ code, path, message, hint });
  checks[id]?.(spec, subject, report);
  if (id !== authorizationPolicy && checks[id] !== undefined && annotations.includes(dryRun)) {
    const message = 'is given, and only an AuthorizationPolicy can be tried out';
    report('annotations', ['metadata', 'annotations', dryRun], message, 'remove it');
  }
  return violations;
}
