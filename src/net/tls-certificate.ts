import { X509Certificate } from 'node:crypto';

/** What an operator wants to know of a certificate. Nothing of it is secret. */
export type Certificate = {
  /** The subject's common name, or its organisation, which is all that a CA of Istio has; often empty. */
  readonly subject: string;
  /** Common name of who signed it, or its organisation. */
  readonly issuer: string;
  /** Subject alternative names as they are compared: URIs, DNS names, IP addresses. */
  readonly names: readonly string[];
  readonly validFrom: Date;
  readonly validTo: Date;
};

/** Reads it out of a certificate. */
export function describeCertificate({
  subject,
  issuer,
  subjectAltName,
  validFrom,
  validTo,
}: X509Certificate): Certificate {
  return {
    subject: partOf(subject, 'CN') || partOf(subject, 'O'),
    issuer: partOf(issuer, 'CN') || partOf(issuer, 'O'),
    names: altNamesOf(subjectAltName ?? '').map(({ value }) => value),
    validFrom: timeOf(validFrom),
    validTo: timeOf(validTo),
  };
}

/** A time as OpenSSL writes it. One that it could not read is 1970: whoever looks at it finds that it has ended. */
export function timeOf(text: string): Date {
  return isTime(text) ? new Date(text) : new Date(0);
}

function isTime(text: string): boolean {
  return !Number.isNaN(Date.parse(text));
}

/** What a certificate is called: its names, else its subject. */
export function nameOfCertificate({ names, subject }: Certificate): string {
  return names.join(', ') || subject || '(no name)';
}

/** A subject alternative name. */
type AltName = { readonly kind: string; readonly value: string };

/**
 * Reads `DNS:a, IP Address:10.0.0.1, URI:spiffe://…`, as Node writes it. A value that could be taken for several is a
 * JSON string there (CVE-2021-44532), and stays one.
 */
export function altNamesOf(text: string): AltName[] {
  // Sticky: what is no name ends it, and nothing is found within a value.
  return Array.from(
    text.matchAll(/(?:^|, )([A-Za-z0-9 ]+):("(?:[^"\\]|\\.)*"|[^,"]*)(?=, |$)/gy),
    ([, kind = '', value = '']) => ({
      kind,
      value: value.startsWith('"') ? unquoted(value) : value,
    }),
  );
}

/**
 * Names by which a peer can be let in: its URIs, as SPIFFE ids, and its DNS names. A DNS name that looks like a URI
 * counts as none.
 */
export function identitiesOf(subjectAltName: string): string[] {
  return altNamesOf(subjectAltName).flatMap(({ kind, value }) => {
    if (kind === 'URI') return [value];
    return kind === 'DNS' && /^[A-Za-z0-9._*-]+$/.test(value) ? [value] : [];
  });
}

/** The certificates of a PEM text, first to last. @throws Error which says what is wrong with it. */
export function certificatesIn(text: string): X509Certificate[] {
  const begun = text.match(/-----BEGIN CERTIFICATE-----/g)?.length ?? 0;
  const whole = text.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
  if (begun === 0) {
    const isKey = /-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text);
    throw new Error(
      isKey ? 'it holds a private key where a certificate is expected' : 'it holds no certificate in PEM form',
    );
  }
  if (whole.length < begun) throw new Error('it is half-written: a certificate in it has no end');
  return whole.map((pem, index) => {
    const certificate = parsed(pem);
    if (certificate === undefined) throw new Error(`certificate ${index + 1} in it can't be read`);
    return certificate;
  });
}

/** Undefined for what is none, or has no time that can be read. */
function parsed(pem: string): X509Certificate | undefined {
  try {
    const certificate = new X509Certificate(pem);
    return isTime(certificate.validFrom) && isTime(certificate.validTo) ? certificate : undefined;
  } catch {
    return undefined;
  }
}

function unquoted(text: string): string {
  try {
    return String(JSON.parse(text));
  } catch {
    return text;
  }
}

/** A part of a name such as `O=Istio\nCN=galley`. */
function partOf(name: string | undefined, part: string): string {
  const line = name?.split('\n').find((one) => one.startsWith(`${part}=`));
  return line?.slice(part.length + 1) ?? '';
}
