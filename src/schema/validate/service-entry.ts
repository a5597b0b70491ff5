import { valueText, type Path } from '../problem.ts';
import { checkSubnet, isIp, unixPrefix } from './addresses.ts';
import { checkWildcardDomain, isDomain, isWildcardDomain } from './domains.ts';
import { checkExportTo } from './export-to.ts';
import { checkLabels, checkSelector } from './labels.ts';
import { checkPort, checkPortName, checkProtocol, isHttp, isTls } from './ports.ts';
import { each, eachEntry, isEmpty, type Report, type Subject } from './violation.ts';
import { checkAddress, checkUnixEndpoint, type WorkloadEntry } from './workload-entry.ts';

type Port = {
  readonly number?: number;
  readonly name?: string;
  readonly protocol?: string;
  readonly targetPort?: number;
};

type ServiceEntry = {
  readonly hosts?: readonly string[];
  readonly addresses?: readonly string[];
  readonly ports?: readonly Port[];
  /** A number where a later Istio gave it a meaning. @default 'NONE' */
  readonly resolution?: string | number;
  readonly endpoints?: readonly WorkloadEntry[];
  readonly exportTo?: readonly string[];
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
};

const endpointsPath: Path = ['spec', 'endpoints'];
const hostsPath: Path = ['spec', 'hosts'];

/** Source: pkg/config/validation ValidateServiceEntry, 1.14 to 1.31. */
export function checkServiceEntry(spec: object, { namespace }: Subject, report: Report): void {
  const entry = spec as ServiceEntry;
  const { addresses, endpoints, exportTo, workloadSelector } = entry;
  checkSelector(report, ['spec', 'workloadSelector', 'labels'], workloadSelector?.labels);
  if (workloadSelector !== undefined && !isEmpty(endpoints)) {
    report('conflict', endpointsPath, 'are given beside workloadSelector', 'keep one of the two');
  }
  checkHosts(report, entry);
  each(addresses, ['spec', 'addresses'], (address, at) => checkSubnet(report, at, address));
  checkPorts(report, entry);
  checkResolution(report, entry);
  checkExportTo(report, exportTo, namespace, { nobody: true });
}

function checkHosts(report: Report, { hosts, ports, resolution = 'NONE' }: ServiceEntry): void {
  if (isEmpty(hosts)) report('missing', hostsPath, 'is empty', 'name at least one host');
  each(hosts, hostsPath, (host, at) => {
    if (host === '*')
      report('hosts', at, '"*" is no host of a service', 'name a host, or a part as in "*.example.com"');
    else checkWildcardDomain(report, at, host);
  });
  const shared = (ports ?? []).findIndex(({ protocol }) => !isHttp(protocol) && !isTls(protocol));
  if (resolution !== 'NONE' && (hosts ?? []).length > 1 && shared >= 0) {
    const message = 'is shared by several hosts, which only HTTP and TLS can tell apart';
    const hint = 'make a ServiceEntry of each host, or use an HTTP protocol or TLS';
    report('protocols', ['spec', 'ports', shared, 'protocol'], message, hint);
  }
}

function checkPorts(report: Report, { ports }: ServiceEntry): void {
  const names = new Set<string>();
  const numbers = new Set<number>();
  each(ports, ['spec', 'ports'], ({ name = '', number = 0, protocol, targetPort = 0 }, at) => {
    if (names.has(name)) {
      report('duplicates', [...at, 'name'], `${valueText(name)} is the name of a port above`, 'give each its own name');
    }
    if (numbers.has(number)) {
      report('duplicates', [...at, 'number'], `${number} is the number of a port above`, 'keep one of the two');
    }
    names.add(name);
    numbers.add(number);
    if (targetPort !== 0) checkPort(report, [...at, 'targetPort'], targetPort);
    checkPortName(report, [...at, 'name'], name);
    checkProtocol(report, [...at, 'protocol'], protocol);
    checkPort(report, [...at, 'number'], number);
  });
}

function checkResolution(report: Report, entry: ServiceEntry): void {
  const { resolution = 'NONE', endpoints } = entry;
  if (resolution === 'NONE' && !isEmpty(endpoints)) {
    const hint = 'write resolution: STATIC for IP addresses, or DNS for host names';
    report('endpoints', endpointsPath, 'are given, and resolution NONE uses none', hint);
  } else if (resolution === 'STATIC') checkStatic(report, entry);
  else if (resolution === 'DNS' || resolution === 'DNS_ROUND_ROBIN') checkDns(report, entry);
}

function checkStatic(report: Report, { endpoints, ports }: ServiceEntry): void {
  const names = namesOf(ports);
  each(endpoints, endpointsPath, (endpoint, at) => {
    const { address = '', network = '', labels } = endpoint;
    const here = [...at, 'address'];
    if (address.startsWith(unixPrefix)) {
      checkUnixEndpoint(report, here, endpoint);
      if (ports?.length !== 1 && names.size !== 1) {
        const message = 'is a socket, and the service has not just one port';
        report('endpoints', here, message, 'keep one port, or write an IP address');
      }
    } else {
      if (address === '' && network === '') report('missing', here, 'is missing', 'write an IP address');
      else if (address !== '' && !isIp(address)) {
        const hint = 'write an IP address, or resolution: DNS for host names';
        report('addresses', here, `${valueText(address)} is no IP address, and resolution STATIC needs one`, hint);
      }
      // A network alone is an address from 1.19 on, and none for those before: nothing that all refuse.
      if (address !== '') checkEndpointPorts(report, endpoint, at, names);
    }
    checkLabels(report, [...at, 'labels'], labels);
  });
}

function checkDns(report: Report, { addresses, endpoints, hosts, ports }: ServiceEntry): void {
  each(addresses, ['spec', 'addresses'], (address, at) => {
    if (!address.includes('/')) return;
    const message = `${valueText(address)} is a CIDR, and resolution DNS takes single addresses only`;
    report('addresses', at, message, 'write the addresses one by one, or resolution: STATIC or NONE');
  });
  if (isEmpty(endpoints)) {
    each(hosts, hostsPath, (host, at) => {
      // What is no host name at all is told of already.
      if (isDomain(host) || host === '*' || !isWildcardDomain(host)) return;
      const message = `${valueText(host)} is no complete host name, so there is nothing to ask DNS for`;
      report('hosts', at, message, 'name a host without "*", add endpoints, or write resolution: NONE');
    });
  }
  const names = namesOf(ports);
  each(endpoints, endpointsPath, (endpoint, at) => {
    checkAddress(report, [...at, 'address'], endpoint.address ?? '');
    checkEndpointPorts(report, endpoint, at, names);
    eachEntry(endpoint.ports, [...at, 'ports'], (_name, port, here) => checkPort(report, here, port));
    checkLabels(report, [...at, 'labels'], endpoint.labels);
  });
}

const namesOf = (ports: readonly Port[] = []): Set<string> => new Set(ports.map(({ name = '' }) => name));

/** Ports of an endpoint are those of the service, under the same names. */
function checkEndpointPorts(report: Report, endpoint: WorkloadEntry, at: Path, names: ReadonlySet<string>): void {
  eachEntry(endpoint.ports, [...at, 'ports'], (name, _port, here) => {
    if (names.has(name)) return;
    report('endpoints', here, `${valueText(name)} is no port of the service`, 'use the name of one of spec.ports');
  });
}
