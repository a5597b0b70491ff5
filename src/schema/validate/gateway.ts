import { valueText, type Path } from '../problem.ts';
import { checkIp, checkUnixAddress, unixPrefix } from './addresses.ts';
import { isDnsLabel } from './domains.ts';
import { checkGatewayHost } from './namespaced-host.ts';
import { checkPort, checkProtocol, isHttp, isTls } from './ports.ts';
import { checkServerTls, type ServerTls } from './server-tls.ts';
import { each, isEmpty, type Report, type Subject } from './violation.ts';

type Server = {
  readonly port?: { readonly number?: number; readonly protocol?: string; readonly name?: string };
  readonly bind?: string;
  readonly hosts?: readonly string[];
  readonly tls?: ServerTls;
};

type Gateway = { readonly servers?: readonly Server[] };

/** Source: pkg/config/validation ValidateGateway, 1.14 to 1.31. */
export function checkGateway(spec: object, { name }: Subject, report: Report): void {
  const { servers } = spec as Gateway;
  const path: Path = ['spec', 'servers'];
  if (!isDnsLabel(name)) {
    const hint = 'use 1 to 63 letters, digits and "-", and no dots';
    report('names', ['metadata', 'name'], `${valueText(name)} is no name of a Gateway`, hint);
  }
  if (isEmpty(servers)) report('missing', path, 'is empty', 'describe at least one server');
  const names = new Set<string>();
  each(servers, path, (server, at) => {
    checkServer(report, at, server);
    if (server.port === undefined) return;
    const { name: portName = '' } = server.port;
    if (names.has(portName)) {
      const message = `${valueText(portName)} is the name of a port above`;
      report('duplicates', [...at, 'port', 'name'], message, 'give each its own name');
    }
    names.add(portName);
  });
}

function checkServer(report: Report, at: Path, { port, bind = '', hosts, tls }: Server): void {
  if (isEmpty(hosts)) report('missing', [...at, 'hosts'], 'is empty', 'name at least one host, or "*"');
  each(hosts, [...at, 'hosts'], (host, here) => checkGatewayHost(report, here, host));
  if (tls !== undefined) checkServerTls(report, [...at, 'tls'], tls);
  const number = port?.number ?? 0;
  if (bind.startsWith(unixPrefix)) {
    checkUnixAddress(report, [...at, 'bind'], bind);
    if (number !== 0) {
      report('conflict', [...at, 'port', 'number'], 'is given, and bind is a socket', 'keep one of the two');
    }
  } else if (bind !== '') checkIp(report, [...at, 'bind'], bind);
  if (port === undefined) {
    report('missing', [...at, 'port'], 'is missing', 'write its number, name and protocol');
    return;
  }
  checkProtocol(report, [...at, 'port', 'protocol'], port.protocol, true);
  // 1.16 and some later ones take 0 as a number.
  if (number !== 0) checkPort(report, [...at, 'port', 'number'], number);
  if ((port.name ?? '') === '') report('missing', [...at, 'port', 'name'], 'is missing', 'give the port a name');
  checkTlsOfPort(report, at, port.protocol, tls);
}

function checkTlsOfPort(report: Report, at: Path, protocol: string | undefined, tls: ServerTls | undefined): void {
  const path = [...at, 'tls'];
  if (isTls(protocol)) {
    if (tls === undefined) report('tls', path, `is missing, and ${protocol} needs it`, 'write tls: { mode: … }');
    return;
  }
  if (tls === undefined) return;
  const { mode = 'PASSTHROUGH', serverCertificate = '', privateKey = '', caCertificates = '' } = tls;
  const passes = mode === 'PASSTHROUGH' || mode === 'AUTO_PASSTHROUGH';
  if (isHttp(protocol) && passes && serverCertificate + privateKey + caCertificates === '') return;
  const hint = 'use protocol HTTPS or TLS, or remove tls; httpsRedirect alone may stay with HTTP';
  report('tls', path, `is given, and ${valueText(protocol ?? '')} is no TLS`, hint);
}
