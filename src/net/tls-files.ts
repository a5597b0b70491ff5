import { createHash, createPrivateKey, type KeyObject, type X509Certificate } from 'node:crypto';
import { constants, open } from 'node:fs/promises';
import { createSecureContext, type SecureContext } from 'node:tls';
import { IsthmusError, messageOf } from '../model/errors.ts';
import { type Certificate, certificatesIn, describeCertificate, nameOfCertificate } from './tls-certificate.ts';

/** PEM files: our certificate, with those that signed it behind it, its key, and the CAs that peers are verified by. */
export type TlsFiles = {
  readonly cert?: string | undefined;
  readonly key?: string | undefined;
  readonly ca?: string | undefined;
};

/** What the files hold, as it was read together. It has the key: never show it. */
export type TlsTexts = {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
  /** Another one wherever the files hold something else. */
  readonly mark: string;
  /** True where everybody on this host may read the key. */
  readonly keyIsOpen: boolean;
};

/** What Node wants to have. */
export type TlsPem = { readonly cert?: string; readonly key?: string; readonly ca?: string };

/** Files that fit together and can be used now. */
export type TlsMaterial = {
  /** {@link TlsTexts.mark} of what it was made of. */
  readonly mark: string;
  /** The certificates that were found, and nothing else of the files. It has the key: never show it. */
  readonly pem: TlsPem;
  /** Ours; undefined where there is none. */
  readonly certificate: Certificate | undefined;
  /** The CAs of the file; empty where those of Node count. */
  readonly authorities: readonly Certificate[];
  readonly context: SecureContext;
};

/** What both sides of every connection have to know at least. */
export const minVersion = 'TLSv1.2';

/** More is no certificate. */
const maxFileBytes = 1 << 20;

/** Reads all files. @throws IsthmusError TLS_UNUSABLE */
export async function readTlsFiles(files: TlsFiles): Promise<TlsTexts> {
  const texts: { cert?: string; key?: string; ca?: string } = {};
  const hash = createHash('sha256');
  let keyIsOpen = false;
  for (const role of ['cert', 'key', 'ca'] as const) {
    const file = files[role];
    if (file === undefined) continue;
    const { text, mode } = await readFile(file);
    texts[role] = text;
    hash.update(`${role} ${text.length}\n`).update(text);
    if (role === 'key') keyIsOpen = (mode & 0o004) !== 0;
  }
  return { ...texts, mark: hash.digest('base64url'), keyIsOpen };
}

/**
 * Decides whether they can be used.
 * @param now milliseconds since 1970.
 * @throws IsthmusError TLS_UNUSABLE, with the file that is to blame and what to do.
 */
export function judgeTls(files: TlsFiles, texts: TlsTexts, now: number): TlsMaterial {
  const { cert, key, ca } = texts;
  const certFile = files.cert ?? 'cert';
  const pem: { cert?: string; key?: string; ca?: string } = {};
  let certificate: Certificate | undefined;
  if (cert !== undefined && key !== undefined) {
    const chain = parsed(certFile, () => certificatesIn(cert));
    const ours = chain[0] as X509Certificate;
    certificate = describeCertificate(ours);
    if (!ours.checkPrivateKey(privateKeyOf(files.key ?? 'key', key))) {
      const next = `renew both together; they may just be on their way, and are looked at again (key: ${files.key})`;
      throw unusable(certFile, `the key is that of another certificate than ${nameOfCertificate(certificate)}`, next);
    }
    checkTime(certFile, certificate, now);
    pem.cert = pemOf(chain);
    pem.key = key;
  }
  const bundle = ca === undefined ? [] : parsed(files.ca ?? 'ca', () => certificatesIn(ca));
  const authorities = bundle.map(describeCertificate);
  if (bundle.length > 0) pem.ca = pemOf(bundle);
  // An old CA beside a new one is how CAs are renewed.
  const last = lastToEnd(authorities);
  if (last !== undefined && !authorities.some((one) => isValid(one, now))) checkTime(files.ca ?? 'ca', last, now);
  try {
    return { mark: texts.mark, pem, certificate, authorities, context: createSecureContext({ ...pem, minVersion }) };
  } catch (error) {
    const { code = '', message } = error as NodeJS.ErrnoException;
    const next = 'make another certificate: this one is of a kind that OpenSSL refuses, for example signed with SHA-1';
    throw unusable(certFile, `it can't be used (${code || message})`, next);
  }
}

/** OpenSSL leaves out, without a word, what does not begin on a line of its own. */
function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map((one) => one.toString()).join('\n');
}

/** The certificate that is good for longest; undefined where there is none. */
export function lastToEnd(certificates: readonly Certificate[]): Certificate | undefined {
  return certificates.toSorted((a, b) => a.validTo.getTime() - b.validTo.getTime()).at(-1);
}

function isValid({ validFrom, validTo }: Certificate, now: number): boolean {
  return validFrom.getTime() <= now && now <= validTo.getTime();
}

function checkTime(file: string, { validFrom, validTo, ...certificate }: Certificate, now: number): void {
  const name = nameOfCertificate({ validFrom, validTo, ...certificate });
  const clock = `or set the clock of this host, which says ${new Date(now).toISOString()}`;
  if (validTo.getTime() < now) {
    throw unusable(file, `the certificate of ${name} ended on ${validTo.toISOString()}`, `renew it, ${clock}`);
  }
  if (validFrom.getTime() > now) {
    throw unusable(file, `the certificate of ${name} begins only on ${validFrom.toISOString()}`, `wait, ${clock}`);
  }
}

function privateKeyOf(file: string, text: string): KeyObject {
  if (/ENCRYPTED/.test(text))
    throw unusable(file, 'the key needs a passphrase', 'store it without one, readable by this user only');
  if (!/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(text)) {
    throw unusable(file, 'it holds no private key in PEM form', 'give the file of the key; are cert and key swapped?');
  }
  try {
    return createPrivateKey(text);
  } catch {
    // What OpenSSL says of a key is not repeated: it may quote it.
    throw unusable(
      file,
      "the key can't be read: it is half-written, or damaged",
      'write it anew; it is looked at again',
    );
  }
}

function parsed<T>(file: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw unusable(file, messageOf(error), 'write it anew, as PEM; it is looked at again');
  }
}

async function readFile(file: string): Promise<{ text: string; mode: number }> {
  try {
    // Of a pipe that nobody writes to, nothing would ever come.
    const handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await handle.stat();
      if (!stat.isFile()) throw new Error('it is no file');
      if (stat.size > maxFileBytes) throw new Error(`it is larger than ${maxFileBytes} bytes`);
      return { text: await handle.readFile('utf8'), mode: stat.mode };
    } finally {
      await handle.close();
    }
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    const [what, next] = known[code] ?? ([messageOf(error), 'give a PEM file that this user may read'] as const);
    throw unusable(file, what, next);
  }
}

const known: Readonly<Record<string, readonly [string, string]>> = {
  ENOENT: ['there is no such file', 'see that it is mounted, and its name; it is looked for again'],
  EACCES: ['this user may not read it', 'give it to the user that Isthmus runs as, and to nobody else'],
};

function unusable(file: string, what: string, next: string): IsthmusError {
  return new IsthmusError('TLS_UNUSABLE', file, what, { hint: next });
}
