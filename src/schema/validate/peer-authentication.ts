import type { Path } from '../problem.ts';
import { checkSelector } from './labels.ts';
import { eachEntry, hasOnly, type Report, type Subject } from './violation.ts';

type PeerAuthentication = {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly portLevelMtls?: Readonly<Record<string, object>>;
};

/**
 * Ports beyond 65535 are refused by later versions only.
 * Source: pkg/config/validation ValidatePeerAuthentication, 1.14 to 1.31.
 */
export function checkPeerAuthentication(spec: object, _subject: Subject, report: Report): void {
  const { selector, portLevelMtls } = spec as PeerAuthentication;
  const path: Path = ['spec', 'portLevelMtls'];
  if (hasOnly(selector?.matchLabels) && !hasOnly(portLevelMtls)) {
    const message = 'is given for all workloads of the namespace';
    report('conflict', path, message, 'write selector.matchLabels, or remove it');
  }
  eachEntry(portLevelMtls, path, (port, _mtls, at) => {
    if (port === '0') report('ports', at, '0 is no port', 'write the port of the workload');
  });
  checkSelector(report, ['spec', 'selector', 'matchLabels'], selector?.matchLabels);
}
