import { type Config, type SourceConfig, sourceUrl } from '../config/schema.ts';
import { systemClock } from '../model/clock.ts';
import { IsthmusError } from '../model/errors.ts';
import { silentLogger } from '../model/logger.ts';
import { type Certificate, nameOfCertificate } from '../net/tls-certificate.ts';
import { ClientTls } from '../net/tls-client.ts';
import { judgeTls, lastToEnd, readTlsFiles, type TlsFiles } from '../net/tls-files.ts';
import { Identity, thresholdsOf, timeText } from '../net/tls-identity.ts';
import { about, type Finding } from './check-findings.ts';

/** TLS files of a config, each with what they are for. */
function tlsOf({ xds, sink, sources }: Config): { subject: string; files: TlsFiles; isUnverified: boolean }[] {
  const ofListeners = [
    { subject: 'xds.tls', tls: xds.tls },
    { subject: 'sink.tls', tls: sink.tls },
  ].flatMap(({ subject, tls }) => {
    if (tls === undefined) return [];
    return [{ subject, files: { cert: tls.cert, key: tls.key, ca: tls.clientCa }, isUnverified: false }];
  });
  const ofSources = sources.flatMap(({ name, address, tls }) => {
    if (address === undefined || tls === undefined) return [];
    const { ca, cert, key, insecureSkipVerify } = tls;
    const subject = `tls of source ${name} (${sourceUrl({ address, tls })})`;
    return [{ subject, files: { ca, cert, key }, isUnverified: insecureSkipVerify }];
  });
  return [...ofListeners, ...ofSources];
}

/** Whether the TLS files of a config can be used, and for how long. */
export async function tlsFindings(config: Config, now: Date): Promise<Finding[]> {
  const groups = tlsOf(config).map(async ({ subject, files, isUnverified }) => {
    const findings = await filesFindings(files, subject, now);
    if (isUnverified) {
      const what =
        'insecureSkipVerify: whoever answers there is believed to be the server, and may change all services';
      findings.push(about(subject).warning('TLS_UNVERIFIED', what, 'give the CA of the server as tls.ca instead'));
    }
    return findings;
  });
  return (await Promise.all(groups)).flat();
}

async function filesFindings(files: TlsFiles, subject: string, now: Date): Promise<Finding[]> {
  const { ok, warning, error } = about(subject);
  try {
    const texts = await readTlsFiles(files);
    const { certificate, authorities } = judgeTls(files, texts, now.getTime());
    const findings: Finding[] = [];
    if (certificate !== undefined) {
      const what = `the certificate is for ${nameOfCertificate(certificate)}; ${endText(certificate, now)}`;
      findings.push(ok('TLS_USABLE', what, { file: files.cert, ...dataOf(certificate) }));
      findings.push(...endFindings(certificate, `the certificate in ${files.cert}`, subject, now));
    }
    const ca = lastToEnd(authorities);
    if (ca !== undefined) {
      const names = authorities.map(nameOfCertificate).join(', ');
      findings.push(
        ok('TLS_USABLE', `peers are verified by ${names}; ${endText(ca, now)}`, { file: files.ca, ...dataOf(ca) }),
      );
      findings.push(...endFindings(ca, `the CA in ${files.ca}`, subject, now));
    }
    if (texts.keyIsOpen) {
      const what = `everybody on this host can read the private key ${files.key}`;
      findings.push(
        warning('KEY_OPEN_TO_ALL', what, 'chmod o-r; of a Secret in Kubernetes, set defaultMode: 0400 and fsGroup'),
      );
    }
    return findings;
  } catch (failure) {
    if (!(failure instanceof IsthmusError)) throw failure;
    return [error('TLS_UNUSABLE', `${failure.message}; no connection is possible`, failure.hint ?? 'mend the file')];
  }
}

function endFindings(certificate: Certificate, what: string, subject: string, now: Date): Finding[] {
  const left = certificate.validTo.getTime() - now.getTime();
  if (!thresholdsOf(certificate).some((threshold) => left < threshold)) return [];
  const text = `${what} ends in ${timeText(left)}`;
  return [about(subject).warning('CERTIFICATE_EXPIRES', text, 'renew it, if nothing does so by itself')];
}

function endText({ validTo }: Certificate, now: Date): string {
  return `it ends in ${timeText(validTo.getTime() - now.getTime())}, on ${validTo.toISOString()}`;
}

function dataOf({ names, issuer, validFrom, validTo }: Certificate): object {
  return { names, issuer, validFrom: validFrom.toISOString(), validTo: validTo.toISOString() };
}

/** How a source of a config is spoken to. */
export function clientTlsOf({ name, tls }: Pick<SourceConfig, 'name' | 'tls'>): ClientTls | undefined {
  if (tls === undefined) return undefined;
  const { ca, cert, key } = tls;
  // It is read once: nobody lets time pass on this clock.
  const clock = { ...systemClock, after: () => ({ cancel() {} }) };
  const identity = new Identity({ use: `source/${name}`, files: { ca, cert, key }, clock, log: silentLogger });
  return new ClientTls({ identity, ...tls });
}
