import { valueText, type Path } from '../problem.ts';
import { isDnsLabel, isDomain } from './domains.ts';
import type { Report } from './violation.ts';

/** The gateway that means all sidecars. */
export const meshGateway = 'mesh';

/**
 * Reports names of gateways that are neither `namespace/name` nor a domain name. As Istio does, it looks no further
 * than the first one without a slash. Source: pkg/config/validation validateGatewayNames, 1.14 to 1.31.
 */
export function checkGatewayNames(report: Report, at: Path, names: readonly string[] = []): void {
  const hint = 'write it as in "istio-system/ingress", or "mesh"';
  for (const [index, name] of names.entries()) {
    const [namespace = '', ...rest] = name.split('/');
    const last = rest.length === 0;
    const good = last ? isDomain(name) : isDnsLabel(namespace) && isDnsLabel(rest.join('/'));
    if (!good) report('names', [...at, index], `${valueText(name)} is no name of a gateway`, hint);
    if (last) return;
  }
}
