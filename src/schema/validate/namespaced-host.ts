import { valueText, type Path } from '../problem.ts';
import { isIp } from './addresses.ts';
import { isDnsLabel, isWildcardDomain } from './domains.ts';
import type { Report } from './violation.ts';

/**
 * Reports what is not `namespace/host` of a Gateway's server, or a host alone there.
 * Source: pkg/config/validation ValidateNamespaceSlashWildcardHostname, 1.14 to 1.31.
 */
export function checkGatewayHost(report: Report, at: Path, text: string): void {
  const slash = text.indexOf('/');
  const [namespace, host] = [text.slice(0, slash), text.slice(slash + 1)];
  if (slash >= 0 && namespace !== '*' && namespace !== '.' && !isDnsLabel(namespace)) {
    report('hosts', at, `${valueText(namespace)} is no namespace`, 'write "*", "." or the name of a namespace');
  }
  checkHost(report, at, host, isIp(host));
}

/**
 * Reports what is not `namespace/host` of a Sidecar's egress. From 1.31 on `~` may stand before the namespace.
 * Source: as above.
 */
export function checkEgressHost(report: Report, at: Path, text: string): void {
  const slash = text.indexOf('/');
  if (slash < 0) {
    report('hosts', at, `${valueText(text)} has no namespace`, 'write it as in "./*", "*/example.com" or "shop/*"');
    return;
  }
  const namespace = text.slice(0, slash).replace(/^~(?=.)/, '');
  if (!['*', '.', '~'].includes(namespace) && !isDnsLabel(namespace)) {
    report('hosts', at, `${valueText(namespace)} is no namespace`, 'write "*", "." or the name of a namespace');
  }
  checkHost(report, at, text.slice(slash + 1), false);
}

function checkHost(report: Report, at: Path, host: string, isAddress: boolean): void {
  if (host !== '*' && !host.includes('.')) {
    report('hosts', at, `${valueText(host)} is no full host name`, 'write it with its domain, or "*"');
  } else if (!isAddress && !isWildcardDomain(host)) {
    const hint = 'write a DNS name; only its first label may be, or begin with, "*"';
    report('hosts', at, `${valueText(host)} is no host name`, hint);
  }
}
