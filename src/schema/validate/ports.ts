import { valueText, type Path } from '../problem.ts';
import { isDnsLabel } from './domains.ts';
import type { Report } from './violation.ts';

const maxPort = 65_535;

/** Protocols by their lower-case names. Source: pkg/config/protocol/instance.go Parse, 1.14 to 1.31. */
const http = ['grpc', 'grpc-web', 'http', 'http_proxy', 'http2'];
const tls = ['https', 'tls'];
const known = [...http, ...tls, 'tcp', 'udp', 'mongo', 'redis', 'mysql'];

export const isHttp = (protocol = ''): boolean => http.includes(protocol.toLowerCase());
export const isTls = (protocol = ''): boolean => tls.includes(protocol.toLowerCase());

/** Reports a number outside of 1 to 65535. Source: pkg/config/validation ValidatePort, 1.14 to 1.31. */
export function checkPort(report: Report, at: Path, port = 0): void {
  if (port >= 1 && port <= maxPort) return;
  report('ports', at, `${port} is no port`, `write a number from 1 to ${maxPort}`);
}

/** Reports a name that is no DNS label. Source: pkg/config/validation ValidatePortName, 1.14 to 1.31. */
export function checkPortName(report: Report, at: Path, name = ''): void {
  if (isDnsLabel(name)) return;
  const hint = 'write 1 to 63 letters, digits and "-", which begin and end with a letter or digit';
  report('ports', at, `${valueText(name)} is no name of a port`, hint);
}

/**
 * Reports a protocol that Istio does not know; none at all is one, unless it is `required`.
 * Source: pkg/config/validation ValidateProtocol, and validateServerPort for a required one, 1.14 to 1.31.
 */
export function checkProtocol(report: Report, at: Path, protocol = '', required = false): void {
  if (known.includes(protocol.toLowerCase()) || (protocol === '' && !required)) return;
  const message = protocol === '' ? 'is missing' : `${valueText(protocol)} is no protocol that Istio knows`;
  report(
    'protocols',
    at,
    message,
    'write one of HTTP, HTTP2, GRPC, GRPC-Web, HTTPS, TLS, TCP, Mongo, Redis, MySQL, UDP',
  );
}
