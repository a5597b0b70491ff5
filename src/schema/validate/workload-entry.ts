import { valueText, type Path } from '../problem.ts';
import { checkUnixAddress, isIp, unixPrefix } from './addresses.ts';
import { isDomain } from './domains.ts';
import { checkLabels } from './labels.ts';
import { checkPort, checkPortName } from './ports.ts';
import { eachEntry, hasOnly, type Report, type Subject } from './violation.ts';

export type WorkloadEntry = {
  readonly address?: string;
  readonly ports?: Readonly<Record<string, number>>;
  readonly labels?: Readonly<Record<string, string>>;
  readonly network?: string;
};

/**
 * Source: pkg/config/validation ValidateWorkloadEntry, 1.14 to 1.31. Before 1.19 the address may never be absent,
 * later a network stands for it: both absent is what all refuse.
 */
export function checkWorkloadEntry(spec: object, _subject: Subject, report: Report): void {
  const { address = '', network = '', ports, labels } = spec as WorkloadEntry;
  const at: Path = ['spec', 'address'];
  if (address === '' && network === '') report('missing', at, 'is missing', 'write an IP address or a host name');
  else if (address.startsWith(unixPrefix)) checkUnixEndpoint(report, at, spec);
  else if (address !== '') checkAddress(report, at, address);
  eachEntry(ports, ['spec', 'ports'], (name, port, here) => {
    checkPortName(report, here, name);
    checkPort(report, here, port);
  });
  checkLabels(report, ['spec', 'labels'], labels);
}

/** Reports what is neither an IP address nor a domain name. */
export function checkAddress(report: Report, at: Path, address: string): void {
  if (isIp(address) || isDomain(address)) return;
  const hint = 'write an IP address or a host name, without a port';
  report('addresses', at, `${valueText(address)} is no IP address and no host name`, hint);
}

/** Reports a bad path, and ports, of an endpoint that is a socket; `at` is the path of its address. */
export function checkUnixEndpoint(report: Report, at: Path, { address = '', ports }: WorkloadEntry): void {
  checkUnixAddress(report, at, address);
  if (hasOnly(ports)) return;
  const message = 'are given, and the endpoint is a socket, which has none';
  report('endpoints', [...at.slice(0, -1), 'ports'], message, 'remove the ports');
}
