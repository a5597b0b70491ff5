import { isIP } from 'node:net';
import { generate, type SelfsignedOptions } from 'selfsigned';

/** PEM texts. */
export type KeyPair = { readonly cert: string; readonly key: string };

type Terms = {
  /** When it begins. @default a day ago */
  readonly from?: Date;
  /** @default in a year */
  readonly to?: Date;
  /** What it may be used for. @default both */
  readonly usage?: 'server' | 'client';
  readonly keyType?: 'ec' | 'rsa';
  /** Bits of an RSA key. */
  readonly keySize?: number;
};

const dayMs = 24 * 60 * 60 * 1000;

/** So many days from now; a negative number lies behind us. */
export function inDays(days: number): Date {
  return new Date(Date.now() + days * dayMs);
}

/** A CA of its own. */
export async function newAuthority(name = 'test CA', terms: Terms = {}): Promise<KeyPair> {
  return make(name, terms, {
    extensions: [
      { name: 'basicConstraints', cA: true, critical: true },
      { name: 'keyUsage', keyCertSign: true, cRLSign: true, digitalSignature: true, critical: true },
    ],
  });
}

/**
 * A certificate that the CA has signed; without one it is self-signed.
 * @param names URIs, IP addresses, or DNS names.
 */
export function issue(authority: KeyPair | undefined, names: readonly string[], terms: Terms = {}): Promise<KeyPair> {
  const { usage } = terms;
  return make('leaf', terms, {
    ...(authority === undefined ? {} : { ca: authority }),
    extensions: [
      { name: 'basicConstraints', cA: false },
      { name: 'extKeyUsage', serverAuth: usage !== 'client', clientAuth: usage !== 'server' },
      { name: 'subjectAltName', altNames: names.map(altName) },
    ],
  });
}

function altName(name: string): { type: 2 | 6; value: string } | { type: 7; ip: string } {
  if (isIP(name) !== 0) return { type: 7, ip: name };
  return { type: name.includes('://') ? 6 : 2, value: name };
}

async function make(commonName: string, terms: Terms, options: SelfsignedOptions): Promise<KeyPair> {
  const { from = inDays(-1), to = inDays(365), keyType = 'ec', keySize } = terms;
  const { cert, private: key } = await generate([{ name: 'commonName', value: commonName }], {
    keyType,
    algorithm: 'sha256',
    ...(keySize === undefined ? {} : { keySize }),
    notBeforeDate: from,
    notAfterDate: to,
    ...options,
  });
  return { cert, key };
}
