import { valueText, type Path } from '../problem.ts';
import { checkSubnet, isIp } from './addresses.ts';
import { checkDestinations, type WeightedDestination } from './destination.ts';
import { hostsOverlap, isSubset, isWildcardDomain } from './domains.ts';
import { checkExportTo } from './export-to.ts';
import { checkGatewayNames, meshGateway } from './gateway-names.ts';
import { checkHttpRoute, type HttpRoute } from './http-route.ts';
import { isClaim } from './http-match.ts';
import { checkLabels } from './labels.ts';
import { checkPort } from './ports.ts';
import { each, isEmpty, type Report, type Subject } from './violation.ts';

type L4Match = {
  readonly destinationSubnets?: readonly string[];
  readonly port?: number;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly gateways?: readonly string[];
};

type TlsMatch = L4Match & { readonly sniHosts?: readonly string[] };

type L4Route<Match> = { readonly match?: readonly Match[]; readonly route?: readonly WeightedDestination[] };

type VirtualService = {
  readonly hosts?: readonly string[];
  readonly gateways?: readonly string[];
  readonly http?: readonly HttpRoute[];
  readonly tls?: readonly L4Route<TlsMatch>[];
  readonly tcp?: readonly L4Route<L4Match>[];
  readonly exportTo?: readonly string[];
};

const hostsPath: Path = ['spec', 'hosts'];

/** Names that Istio makes of services itself: as SNI, and with it as a host, 1.24 and newer take them. */
const isGenerated = (host: string): boolean => host.startsWith('outbound_');

/** Source: pkg/config/validation ValidateVirtualService, 1.14 to 1.31. */
export function checkVirtualService(spec: object, { namespace }: Subject, report: Report): void {
  const service = spec as VirtualService;
  const { hosts = [], gateways = [], http, tls, tcp, exportTo } = service;
  const delegated = hosts.length === 0;
  if (delegated) checkDelegated(report, service);
  checkGatewayNames(report, ['spec', 'gateways'], gateways);
  checkHosts(report, hosts, gateways.length === 0 || gateways.includes(meshGateway));
  if (isEmpty(http) && isEmpty(tls) && isEmpty(tcp)) {
    report('missing', ['spec', 'http'], 'is empty, as are tls and tcp', 'write a route');
  }
  const meshOnly = gateways.every((gateway) => gateway === meshGateway);
  each(http, ['spec', 'http'], (route, at) => {
    checkHttpRoute(report, at, route, delegated);
    if (meshOnly) checkClaims(report, at, route);
  });
  each(tls, ['spec', 'tls'], (route, at) => {
    if (isEmpty(route.match)) report('missing', [...at, 'match'], 'is empty', 'write the sniHosts to match');
    each(route.match, [...at, 'match'], (match, here) => checkSni(report, here, match, hosts));
    checkL4Route(report, at, route);
  });
  each(tcp, ['spec', 'tcp'], (route, at) => checkL4Route(report, at, route));
  checkExportTo(report, exportTo, namespace);
}

/** Without hosts it is one that others delegate to, with HTTP routes only. */
function checkDelegated(report: Report, service: VirtualService): void {
  for (const name of ['gateways', 'tls', 'tcp'] as const) {
    if (isEmpty(service[name])) continue;
    const message = 'is given, and a VirtualService without hosts is one that others delegate HTTP to';
    report('conflict', ['spec', name], message, 'remove it, or name hosts');
  }
}

function checkHosts(report: Report, hosts: readonly string[], inMesh: boolean): void {
  let good = true;
  each(hosts, hostsPath, (host, at) => {
    if (inMesh && host === '*') {
      good = false;
      report('hosts', at, '"*" is no host for the mesh gateway', 'name hosts, or gateways other than mesh');
    } else if (!isWildcardDomain(host) && !isIp(host)) {
      good = false;
      if (isGenerated(host)) return;
      report('hosts', at, `${valueText(host)} is no host name`, 'write a DNS name, as in "*.example.com", or an IP');
    }
  });
  if (!good) return;
  each(hosts, hostsPath, (host, at) => {
    const other = hosts.slice(0, Number(at[at.length - 1])).find((earlier) => hostsOverlap(earlier, host));
    if (other === undefined) return;
    report('duplicates', at, `${valueText(host)} overlaps with ${valueText(other)}`, 'keep one of the two');
  });
}

function checkClaims(report: Report, at: Path, { match }: HttpRoute): void {
  each(match, [...at, 'match'], ({ headers, withoutHeaders }, here) => {
    for (const name of Object.keys({ ...headers, ...withoutHeaders }).filter(isClaim)) {
      const message = `${valueText(name)} is a claim of a JWT, which only a gateway can match`;
      report('headers', here, message, 'name a gateway in spec.gateways');
    }
  });
}

function checkSni(report: Report, at: Path, { sniHosts }: TlsMatch, hosts: readonly string[]): void {
  const path = [...at, 'sniHosts'];
  if (isEmpty(sniHosts)) report('missing', path, 'is empty', 'name at least one host');
  each(sniHosts, path, (host, here) => {
    if (!isWildcardDomain(host) && !isGenerated(host)) {
      if (!isIp(host)) report('hosts', here, `${valueText(host)} is no host name`, 'write a DNS name');
    } else if (!hosts.some((other) => isSubset(host, other))) {
      report('hosts', here, `${valueText(host)} is none of spec.hosts`, 'add it there, or a host that holds it');
    }
  });
}

function checkL4Route(report: Report, at: Path, { match, route }: L4Route<L4Match>): void {
  each(match, [...at, 'match'], ({ destinationSubnets, port = 0, sourceLabels, gateways }, here) => {
    each(destinationSubnets, [...here, 'destinationSubnets'], (subnet, path) => checkSubnet(report, path, subnet));
    if (port !== 0) checkPort(report, [...here, 'port'], port);
    checkLabels(report, [...here, 'sourceLabels'], sourceLabels);
    checkGatewayNames(report, [...here, 'gateways'], gateways);
  });
  if (isEmpty(route)) report('missing', [...at, 'route'], 'is empty', 'name a destination');
  checkDestinations(report, [...at, 'route'], route);
}
