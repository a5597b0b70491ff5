import type { Path } from '../problem.ts';
import { isEmpty, type Report } from './violation.ts';

export type ServerTls = {
  /** @default 'PASSTHROUGH' */
  readonly mode?: string | number;
  readonly httpsRedirect?: boolean;
  readonly serverCertificate?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
  readonly credentialName?: string;
  readonly credentialNames?: readonly string[];
  readonly tlsCertificates?: readonly object[];
  readonly subjectAltNames?: readonly string[];
};

const files = ['serverCertificate', 'privateKey', 'caCertificates'] as const;

/**
 * Reports certificates that are missing, or that ISTIO_MUTUAL has no use for.
 * Source: pkg/config/validation validateTLSOptions, 1.14 to 1.31.
 */
export function checkServerTls(report: Report, at: Path, tls: ServerTls): void {
  const { mode = 'PASSTHROUGH', credentialName = '', credentialNames, tlsCertificates } = tls;
  if (mode === 'ISTIO_MUTUAL') {
    for (const name of files.filter((file) => (tls[file] ?? '') !== '')) {
      report('tls', [...at, name], 'is given, and ISTIO_MUTUAL has its own', 'remove it, or choose another mode');
    }
    return;
  }
  if (credentialName !== '' || !isEmpty(credentialNames)) return;
  const needed = neededFiles(mode).filter((name) => name === 'caCertificates' || isEmpty(tlsCertificates));
  for (const name of needed.filter((file) => (tls[file] ?? '') === '')) {
    report('tls', [...at, name], `is missing, and ${mode} needs one`, 'name the file, or write a credentialName');
  }
}

function neededFiles(mode: string | number): (typeof files)[number][] {
  if (mode === 'SIMPLE') return ['serverCertificate', 'privateKey'];
  return mode === 'MUTUAL' ? [...files] : [];
}
