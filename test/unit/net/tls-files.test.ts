import { createPrivateKey } from 'node:crypto';
import { chmodSync } from 'node:fs';
import { beforeAll, describe, expect, test } from 'vitest';
import { IsthmusError } from '../../../src/model/errors.ts';
import { judgeTls, readTlsFiles, type TlsFiles, type TlsMaterial } from '../../../src/net/tls-files.ts';
import { inDays, issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { TlsFolder } from '../../support/tls-folder.ts';

const names = ['spiffe://cluster.local/ns/shop/sa/galley', 'galley.shop'];

let authority: KeyPair;
let good: KeyPair;
let other: KeyPair;

beforeAll(async () => {
  authority = await newAuthority('shop CA');
  good = await issue(authority, names);
  other = await issue(authority, names);
});

async function load(files: TlsFiles, now = Date.now()): Promise<TlsMaterial> {
  return judgeTls(files, await readTlsFiles(files), now);
}

/** Why they can't be used. */
async function refusal(files: TlsFiles, now = Date.now()): Promise<IsthmusError> {
  const error: unknown = await load(files, now).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof IsthmusError)) throw new Error('they can be used', { cause: error });
  return error;
}

describe('files that fit together', () => {
  test('are used; what is known of them has no key in it', async () => {
    const folder = new TlsFolder();
    const files = { ...folder.put('tls', good), ca: folder.write('ca.crt', authority.cert) };
    const { certificate, authorities } = await load(files);
    expect(certificate?.names).toEqual(names);
    expect(authorities.map(({ subject }) => subject)).toEqual(['shop CA']);
    expect((await readTlsFiles(files)).keyIsOpen).toBe(false);
    expect(JSON.stringify([certificate, authorities])).not.toContain('PRIVATE');
  });

  test.each<['rsa' | 'ec']>([['rsa'], ['ec']])('may be of %s', async (keyType) => {
    const folder = new TlsFolder();
    const ca = await newAuthority('CA', { keyType });
    expect((await load(folder.put('tls', await issue(ca, names, { keyType })))).certificate?.names).toEqual(names);
  });

  test('may be old and new CAs together: one of them has to be valid', async () => {
    const folder = new TlsFolder();
    const old = await newAuthority('old CA', { from: inDays(-9), to: inDays(-1) });
    const next = await newAuthority('next CA', { from: inDays(1), to: inDays(900) });
    const ca = folder.write('ca.crt', old.cert + authority.cert + next.cert);
    expect((await load({ ca })).authorities.map(({ subject }) => subject)).toEqual(['old CA', 'shop CA', 'next CA']);
  });

  test('may have one certificate right behind another, or words between them: all are used', async () => {
    const folder = new TlsFolder();
    const texts = [authority.cert, other.cert, good.cert].map((text) => text.trim());
    const ca = folder.write('ca.crt', `our CAs:\n${texts.join('')} and no more`);
    const { pem } = await load({ ca });
    expect(pem.ca?.split(/\n(?=-----BEGIN)/).map((text) => text.trim())).toEqual(texts);
  });

  test('may be none at all: the CAs of Node count', async () => {
    expect(await load({})).toMatchObject({ certificate: undefined, authorities: [] });
  });

  test('have another mark whenever something else is in them', async () => {
    const folder = new TlsFolder();
    const files = folder.put('tls', good);
    const { mark } = await readTlsFiles(files);
    expect((await readTlsFiles(files)).mark).toBe(mark);
    folder.put('tls', other);
    expect((await readTlsFiles(files)).mark).not.toBe(mark);
  });

  test('have a key that everybody can read, or not', async () => {
    const folder = new TlsFolder();
    const files = folder.put('tls', good);
    chmodSync(files.key, 0o640);
    expect((await readTlsFiles(files)).keyIsOpen).toBe(false);
    chmodSync(files.key, 0o644);
    expect((await readTlsFiles(files)).keyIsOpen).toBe(true);
  });
});

describe('what is refused names the file, what is wrong, and what to do', () => {
  test('a key of another certificate', async () => {
    const folder = new TlsFolder();
    const files = folder.put('tls', { cert: good.cert, key: other.key });
    const error = await refusal(files);
    expect(error.code).toBe('TLS_UNUSABLE');
    expect(error.message).toBe(`${files.cert}: the key is that of another certificate than ${names.join(', ')}`);
    expect(error.hint).toContain(files.key);
  });

  test.each([
    ['half of a certificate', () => ({ ...good, cert: good.cert.slice(0, 200) }), 'crt', 'it is half-written'],
    ['no certificate', () => ({ ...good, cert: '' }), 'crt', 'it holds no certificate in PEM form'],
    [
      'cert and key swapped',
      () => ({ cert: good.key, key: good.cert }),
      'crt',
      'it holds a private key where a certificate',
    ],
    [
      'half of a key',
      () => ({ ...good, key: good.key.slice(0, 100) }),
      'key',
      "the key can't be read: it is half-written",
    ],
    ['a damaged key', () => ({ ...good, key: good.key.replace(/[A-Z]{3}/, 'xyz') }), 'key', ''],
    ['no key', () => ({ ...good, key: 'hello' }), 'key', 'it holds no private key in PEM form'],
    ['a certificate for a key', () => ({ ...good, key: good.cert }), 'key', 'it holds no private key in PEM form'],
  ])('%s', async (_what, pair, extension, what) => {
    const folder = new TlsFolder();
    folder.put('tls', pair());
    const error = await refusal({ cert: `${folder.path}/tls.crt`, key: `${folder.path}/tls.key` });
    expect(error.message).toContain(`${folder.path}/tls.`);
    if (what !== '') expect(error.message).toContain(`${folder.path}/tls.${extension}: ${what}`);
    expect(error.hint).toMatch(/\w/);
    // Not a line of the key, in whatever form.
    for (const line of good.key.split('\n').filter((one) => one.length > 20)) {
      expect(`${error.message} ${error.hint} ${String(error.stack)}`).not.toContain(line);
    }
  });

  test('a key with a passphrase', async () => {
    const folder = new TlsFolder();
    const key = createPrivateKey(good.key).export({
      type: 'pkcs8',
      format: 'pem',
      cipher: 'aes-256-cbc',
      passphrase: 'secret',
    });
    const error = await refusal(folder.put('tls', { cert: good.cert, key: String(key) }));
    expect(error.message).toMatch(/tls\.key: the key needs a passphrase$/);
  });

  test('a certificate that has ended, and one that has not begun, by the clock of this host', async () => {
    const folder = new TlsFolder();
    const files = folder.put('tls', good);
    const ended = await refusal(files, inDays(400).getTime());
    expect(ended.message).toMatch(/tls\.crt: the certificate of spiffe:.* ended on 20\d\d-.*Z$/);
    expect(ended.hint).toContain(`which says ${inDays(400).toISOString().slice(0, 10)}`);
    const early = await refusal(files, inDays(-400).getTime());
    expect(early.message).toMatch(/tls\.crt: the certificate of spiffe:.* begins only on 20\d\d-.*Z$/);
  });

  test('CAs that have all ended', async () => {
    const folder = new TlsFolder();
    const old = await newAuthority('old CA', { from: inDays(-9), to: inDays(-1) });
    const error = await refusal({ ca: folder.write('ca.crt', old.cert) });
    expect(error.message).toMatch(/ca\.crt: the certificate of old CA ended on /);
  });

  test('a CA that is half-written', async () => {
    const folder = new TlsFolder();
    const error = await refusal({ ca: folder.write('ca.crt', authority.cert.slice(0, 99)) });
    expect(error.message).toMatch(/ca\.crt: it is half-written/);
  });

  test('what OpenSSL does not take, such as a key of 512 bits', async () => {
    const folder = new TlsFolder();
    const weak = await issue(undefined, names, { keyType: 'rsa', keySize: 512 });
    const error = await refusal(folder.put('tls', weak));
    expect(error.message).toMatch(/tls\.crt: it can't be used \(ERR_SSL_EE_KEY_TOO_SMALL\)$/);
  });

  test('a file that is not there, a folder, and one that is far too large', async () => {
    const folder = new TlsFolder();
    const ca = `${folder.path}/ca.crt`;
    expect((await refusal({ ca })).message).toBe(`${ca}: there is no such file`);
    expect((await refusal({ ca: folder.path })).message).toMatch(/: it is no file$/);
    folder.write('ca.crt', authority.cert.repeat(3000));
    expect((await refusal({ ca })).message).toMatch(/: it is larger than 1048576 bytes$/);
  });
});
