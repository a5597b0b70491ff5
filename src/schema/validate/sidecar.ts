import { valueText, type Path } from '../problem.ts';
import { checkIp, checkUnixAddress, unixPrefix } from './addresses.ts';
import { checkDestination, type Destination } from './destination.ts';
import { isDomain } from './domains.ts';
import { checkSelector } from './labels.ts';
import { checkEgressHost } from './namespaced-host.ts';
import { checkPort, checkPortName, checkProtocol, isTls } from './ports.ts';
import { checkServerTls, type ServerTls } from './server-tls.ts';
import { each, hasOnly, isEmpty, type Report, type Subject } from './violation.ts';

type Port = { readonly number?: number; readonly protocol?: string; readonly name?: string };

type Ingress = {
  readonly port?: Port;
  readonly bind?: string;
  readonly defaultEndpoint?: string;
  readonly tls?: ServerTls;
};

type Egress = {
  readonly port?: Port;
  readonly bind?: string;
  readonly captureMode?: string | number;
  readonly hosts?: readonly string[];
};

type Sidecar = {
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly ingress?: readonly Ingress[];
  readonly egress?: readonly Egress[];
  readonly outboundTrafficPolicy?: { readonly mode?: string | number; readonly egressProxy?: Destination };
};

/** Source: pkg/config/validation ValidateSidecar, 1.14 to 1.31. */
export function checkSidecar(spec: object, _subject: Subject, report: Report): void {
  const { workloadSelector, ingress, egress, outboundTrafficPolicy } = spec as Sidecar;
  checkSelector(report, ['spec', 'workloadSelector', 'labels'], workloadSelector?.labels);
  if (hasOnly(spec, ['workloadSelector'])) {
    report('missing', ['spec'], 'has no settings', 'write egress, ingress or outboundTrafficPolicy');
  }
  const numbers = new Set<number>();
  each(ingress, ['spec', 'ingress'], (listener, at) => {
    checkIngress(report, at, listener);
    if (listener.port !== undefined) checkUnused(report, [...at, 'port', 'number'], numbers, listener.port.number ?? 0);
  });
  checkEgress(report, egress);
  if (outboundTrafficPolicy?.egressProxy !== undefined) {
    checkProxy(report, outboundTrafficPolicy.mode, outboundTrafficPolicy.egressProxy);
  }
}

function checkUnused<T>(report: Report, at: Path, used: Set<T>, value: T): void {
  if (used.has(value)) report('duplicates', at, `${String(value)} is used above already`, 'use each of them once');
  used.add(value);
}

function checkIngress(report: Report, at: Path, { port, bind = '', defaultEndpoint = '', tls }: Ingress): void {
  if (port === undefined) {
    report('missing', [...at, 'port'], 'is missing', 'write its number and protocol');
    return;
  }
  checkListenerPort(report, [...at, 'port'], port);
  checkPort(report, [...at, 'port', 'number'], port.number);
  if (bind !== '') checkIp(report, [...at, 'bind'], bind);
  checkDefaultEndpoint(report, [...at, 'defaultEndpoint'], defaultEndpoint);
  if (tls !== undefined) checkIngressTls(report, [...at, 'tls'], tls, port.protocol);
}

function checkListenerPort(report: Report, at: Path, { name = '', protocol }: Port): void {
  if (name !== '') checkPortName(report, [...at, 'name'], name);
  checkProtocol(report, [...at, 'protocol'], protocol);
}

/** IPv6 and brackets, which 1.14 does not take here, are left to others. */
function checkDefaultEndpoint(report: Report, at: Path, endpoint: string): void {
  if (endpoint.startsWith(unixPrefix)) {
    checkUnixAddress(report, at, endpoint);
    return;
  }
  const [host = '', port, ...more] = endpoint.split(':');
  if (endpoint === '' || more.length > 0 || host.startsWith('[')) return;
  const knownHost = ['', '127.0.0.1', '0.0.0.0'].includes(host);
  if (knownHost && port !== undefined && /^\+?\d+$/.test(port) && Number(port) >= 1 && Number(port) <= 65_535) return;
  const hint = 'write it as in "127.0.0.1:8080", ":8080" or "unix:///path/to/socket"';
  report('endpoints', at, `${valueText(endpoint)} is no endpoint of the workload`, hint);
}

function checkIngressTls(report: Report, at: Path, tls: ServerTls, protocol: string | undefined): void {
  const { mode, subjectAltNames, httpsRedirect = false, credentialName = '' } = tls;
  const unsupported = (name: string, given: boolean): void => {
    if (given) report('tls', [...at, name], 'is given, and the ingress of a Sidecar has no such thing', 'remove it');
  };
  unsupported('subjectAltNames', !isEmpty(subjectAltNames));
  unsupported('httpsRedirect', httpsRedirect);
  unsupported('credentialName', credentialName !== '');
  if (mode === 'ISTIO_MUTUAL' || mode === 'AUTO_PASSTHROUGH') {
    report('tls', [...at, 'mode'], `${mode} is no mode for the ingress of a Sidecar`, 'write SIMPLE or MUTUAL');
  }
  if (!isTls(protocol)) {
    report(
      'tls',
      at,
      `is given, and ${valueText(protocol ?? '')} is no TLS`,
      'use protocol HTTPS or TLS, or remove it',
    );
  }
  checkServerTls(report, at, tls);
}

function checkEgress(report: Report, egress: Sidecar['egress']): void {
  const numbers = new Set<number>();
  const sockets = new Set<string>();
  each(egress, ['spec', 'egress'], ({ port, bind = '', captureMode = 'DEFAULT', hosts }, at) => {
    if (port === undefined) {
      if (at[at.length - 1] !== (egress ?? []).length - 1) {
        const hint = 'give it a port, or put it last: it is for all other ports';
        report('missing', [...at, 'port'], 'is missing, and it is not the last of them', hint);
      }
    } else {
      const number = port.number ?? 0;
      checkListenerPort(report, [...at, 'port'], port);
      if (number === 0) {
        checkSocket(report, at, bind, captureMode);
        checkUnused(report, [...at, 'bind'], sockets, bind);
      } else {
        checkPort(report, [...at, 'port', 'number'], number);
        if (bind !== '') checkIp(report, [...at, 'bind'], bind);
        checkUnused(report, [...at, 'port', 'number'], numbers, number);
      }
    }
    if (isEmpty(hosts)) report('missing', [...at, 'hosts'], 'is empty', 'name at least one host, as in "./*"');
    each(hosts, [...at, 'hosts'], (host, here) => checkEgressHost(report, here, host));
  });
}

function checkSocket(report: Report, at: Path, bind: string, captureMode: string | number): void {
  if (bind.startsWith(unixPrefix)) checkUnixAddress(report, [...at, 'bind'], bind);
  else report('ports', [...at, 'port', 'number'], 'is missing', 'write a number, or bind to a unix:// socket');
  if (captureMode !== 'DEFAULT' && captureMode !== 'NONE') {
    const message = `${valueText(captureMode)} captures nothing of a socket`;
    report('conflict', [...at, 'captureMode'], message, 'write NONE, or give a port');
  }
}

/** Source: pkg/config/validation validateSidecarOutboundTrafficPolicy, 1.14 to 1.31. */
function checkProxy(report: Report, mode: string | number | undefined, proxy: Destination): void {
  const at: Path = ['spec', 'outboundTrafficPolicy', 'egressProxy'];
  if (mode !== 'ALLOW_ANY') {
    report('conflict', at, 'is given, and the mode is not ALLOW_ANY', 'write mode: ALLOW_ANY, or remove it');
    return;
  }
  const { host = '', port } = proxy;
  if (!isDomain(host)) {
    report('hosts', [...at, 'host'], `${valueText(host)} is no full host name`, 'name the host of a service');
  }
  if (port === undefined) report('ports', [...at, 'port'], 'is missing', 'write port: { number: … }');
  else checkDestination(report, at, proxy);
}
