import { chmodSync } from 'node:fs';
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { certificatesIn, describeCertificate } from '../../../src/net/tls-certificate.ts';
import type { TlsFiles } from '../../../src/net/tls-files.ts';
import { Identity, thresholdsOf, timeText } from '../../../src/net/tls-identity.ts';
import { inDays, issue, type KeyPair, newAuthority } from '../../support/certificates.ts';
import { FakeClock } from '../../support/fake-clock.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';
import { SecretVolume, TlsFolder } from '../../support/tls-folder.ts';
import { until } from '../../support/until.ts';

const dayMs = 24 * 60 * 60 * 1000;

let authority: KeyPair;
let otherAuthority: KeyPair;
let first: KeyPair;
let second: KeyPair;

beforeAll(async () => {
  authority = await newAuthority('shop CA');
  otherAuthority = await newAuthority('other CA');
  first = await issue(authority, ['first.shop']);
  second = await issue(authority, ['second.shop']);
});

/** An identity on a clock that stands still until it is told to go on. */
class Lab {
  readonly clock = new FakeClock(Date.now());
  readonly log = new MemoryLogger();
  readonly identity: Identity;

  constructor(files: TlsFiles) {
    this.identity = new Identity({ use: 'xds', files, clock: this.clock, log: this.log });
    onTestFinished(() => this.identity.stop());
  }

  static async start(files: TlsFiles): Promise<Lab> {
    const lab = new Lab(files);
    await lab.identity.start();
    return lab;
  }

  /** Lets the time pass until the next look, and returns once that is over: another is planned then. */
  async nextLook(): Promise<void> {
    this.clock.advance(5000);
    await until('the files were looked at', () => this.clock.timers > 0);
  }

  get names(): readonly string[] {
    return this.identity.material?.certificate?.names ?? [];
  }

  get refused(): string | undefined {
    return this.identity.view.refused?.what;
  }

  /** Lines of these levels. */
  get complaints(): string[] {
    return [...this.log.of('warn'), ...this.log.of('error')];
  }

  /** Nothing of a key is in any line, nor in what operators see. */
  expectNoKey(...pairs: readonly KeyPair[]): void {
    const shown = JSON.stringify([this.log.lines, this.identity.view]);
    for (const line of pairs.flatMap(({ key }) => key.split('\n')).filter((one) => one.length > 20)) {
      expect(shown).not.toContain(line);
    }
    expect(shown).not.toContain('PRIVATE KEY');
  }
}

describe('renewed files are in use within 5 seconds', () => {
  test('TestPollingWatcher_PollingUpdates_Update: written in place', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.put('tls', second);
    expect(lab.names).toEqual(['first.shop']);
    await lab.nextLook();
    expect(lab.names).toEqual(['second.shop']);
    expect(lab.log.of('info')).toContain('renewed TLS files are in use; open streams stay');
    expect(lab.complaints).toEqual([]);
    lab.expectNoKey(first, second);
  });

  test('by files that take their place', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.replace('tls.crt', second.cert);
    folder.replace('tls.key', second.key);
    await lab.nextLook();
    expect(lab.names).toEqual(['second.shop']);
  });

  test('TestPollingWatcher_Symlinks: by a link that is swapped, as Kubernetes does, again and again', async () => {
    const texts = ({ cert, key }: KeyPair, { cert: ca }: KeyPair) => ({
      'tls.crt': cert,
      'tls.key': key,
      'ca.crt': ca,
    });
    const volume = new SecretVolume(texts(first, authority));
    const files = { cert: volume.file('tls.crt'), key: volume.file('tls.key'), ca: volume.file('ca.crt') };
    const lab = await Lab.start(files);
    for (const [pair, ca] of [
      [second, authority],
      [first, otherAuthority],
      [second, otherAuthority],
    ] as const) {
      volume.update(texts(pair, ca));
      await lab.nextLook();
      expect(lab.names).toEqual(certificatesIn(pair.cert).flatMap((one) => describeCertificate(one).names));
      expect(lab.identity.material?.pem.ca?.trim()).toBe(ca.cert.trim());
    }
    expect(lab.complaints).toEqual([]);
  });

  test('of CAs too', async () => {
    const folder = new TlsFolder();
    const ca = folder.write('ca.crt', authority.cert);
    const lab = await Lab.start({ ca });
    folder.write('ca.crt', authority.cert + otherAuthority.cert);
    await lab.nextLook();
    expect(lab.identity.material?.authorities.map(({ subject }) => subject)).toEqual(['shop CA', 'other CA']);
  });

  test('TestPollingWatcher_Basic: and what does not change is read, and not said again', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    const { material } = lab.identity;
    for (let i = 0; i < 5; i++) await lab.nextLook();
    expect(lab.identity.material).toBe(material);
    expect(lab.log.lines).toHaveLength(1);
  });
});

describe('what is torn is refused, shown once, and what was in use stays', () => {
  const cases: readonly [string, (folder: TlsFolder) => void, RegExp][] = [
    [
      'a key of another certificate',
      (f) => f.write('tls.key', second.key),
      /tls\.crt: the key is that of another certificate than first\.shop/,
    ],
    [
      'a certificate of another key',
      (f) => f.write('tls.crt', second.cert),
      /tls\.crt: the key is that of another certificate than second\.shop/,
    ],
    ['half of a certificate', (f) => f.write('tls.crt', second.cert.slice(0, 99)), /tls\.crt: it is half-written/],
    ['half of a key', (f) => f.write('tls.key', second.key.slice(0, 99)), /tls\.key: the key can't be read/],
    ['an empty file', (f) => f.write('tls.crt', ''), /tls\.crt: it holds no certificate/],
    ['a file that is gone', (f) => f.remove('tls.key'), /tls\.key: there is no such file/],
  ];

  test.each(cases)('%s', async (_what, tear, says) => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    const { material } = lab.identity;
    tear(folder);
    for (let i = 0; i < 3; i++) await lab.nextLook();
    expect(lab.identity.material).toBe(material);
    expect(lab.refused).toMatch(says);
    expect(lab.identity.view.isUnusable).toBe(false);
    const [line, ...more] = lab.log.lines.filter(({ level }) => level === 'error');
    expect(line?.message).toMatch(/^TLS files can't be used, those before them stay in use: /);
    expect(line?.message).toMatch(says);
    expect(line?.fields).toMatchObject({ hint: expect.stringMatching(/\w/) as string });
    expect(more).toEqual([]);
    lab.expectNoKey(first, second);

    folder.put('tls', second);
    await lab.nextLook();
    expect(lab.names).toEqual(['second.shop']);
    expect(lab.refused).toBeUndefined();
  });

  test('and where what was there comes back, that is said', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.write('tls.key', second.key);
    await lab.nextLook();
    folder.write('tls.key', first.key);
    await lab.nextLook();
    expect(lab.refused).toBeUndefined();
    expect(lab.log.of('info').at(-1)).toBe('the TLS files are as before again');
  });

  test('another mistake is told, too, with its own time', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.remove('tls.key');
    await lab.nextLook();
    const { since } = lab.identity.view.refused ?? {};
    await lab.nextLook();
    expect(lab.identity.view.refused?.since).toEqual(since);
    folder.remove('tls.crt');
    await lab.nextLook();
    expect(lab.log.of('error')).toHaveLength(2);
    expect(lab.identity.view.refused?.since).not.toEqual(since);
  });

  test('TestPollingWatcher_PollingUpdates_MissingCertFile: the last good pair stays', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.remove('tls.crt');
    await lab.nextLook();
    expect([lab.names, lab.refused]).toEqual([
      ['first.shop'],
      expect.stringMatching(/tls\.crt: there is no such file/),
    ]);
  });

  test('TestPollingWatcher_PollingUpdates_MissingKeyFile: the last good pair stays', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.remove('tls.key');
    await lab.nextLook();
    expect([lab.names, lab.refused]).toEqual([
      ['first.shop'],
      expect.stringMatching(/tls\.key: there is no such file/),
    ]);
  });

  test('TestPollingWatcher_PollingUpdates_BogusCertFile: the last good pair stays, and the error is kept', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.write('tls.crt', 'bogus');
    await lab.nextLook();
    expect([lab.names, lab.refused]).toEqual([
      ['first.shop'],
      expect.stringMatching(/tls\.crt: it holds no certificate/),
    ]);
  });

  test('TestPollingWatcher_PollingUpdates_BogusKeyFile: the last good pair stays, and the error is kept', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.write('tls.key', 'bogus');
    await lab.nextLook();
    expect([lab.names, lab.refused]).toEqual([
      ['first.shop'],
      expect.stringMatching(/tls\.key: it holds no private key/),
    ]);
  });

  test('TestWatchRotation: a renewal of certificate and key by writing is taken; one that fails keeps the last pair', async () => {
    const folder = new TlsFolder();
    const files = folder.put('tls', first);
    const lab = await Lab.start(files);
    folder.write('tls.crt', second.cert);
    await lab.nextLook();
    expect(lab.names).toEqual(['first.shop']);
    folder.write('tls.key', second.key);
    await lab.nextLook();
    expect(lab.names).toEqual(['second.shop']);
    chmodSync(files.key, 0);
    await lab.nextLook();
    // Root can read it all the same; whoever can't keeps what was read.
    expect(lab.names).toEqual(['second.shop']);
  });
});

describe('what can not be used at the start is waited for', () => {
  /** Says what is wrong, and is there once the files are. */
  async function expectMended(prepare: (folder: TlsFolder) => void, says: RegExp): Promise<void> {
    const folder = new TlsFolder();
    folder.put('tls', first);
    folder.write('ca.crt', authority.cert);
    prepare(folder);
    const at = (name: string) => `${folder.path}/${name}`;
    const lab = await Lab.start({ cert: at('tls.crt'), key: at('tls.key'), ca: at('ca.crt') });
    expect(lab.identity.material).toBeUndefined();
    expect(lab.identity.view.isUnusable).toBe(true);
    expect(lab.log.of('error')).toEqual([expect.stringMatching(says)]);
    expect(lab.log.of('error')[0]).toMatch(/^TLS files can't be used, no connection is possible until they can: /);
    folder.put('tls', first);
    folder.write('ca.crt', authority.cert);
    await lab.nextLook();
    expect(lab.names).toEqual(['first.shop']);
    expect(lab.identity.view).toMatchObject({ isUnusable: false, refused: undefined });
  }

  test('TestPollingWatcher_Initial_MissingCaCert: is said, and mended', () =>
    expectMended((f) => f.remove('ca.crt'), /ca\.crt: there is no such file/));
  test('TestPollingWatcher_Initial_MissingCert: is said, and mended', () =>
    expectMended((f) => f.remove('tls.crt'), /tls\.crt: there is no such file/));
  test('TestPollingWatcher_Initial_MissingKey: is said, and mended', () =>
    expectMended((f) => f.remove('tls.key'), /tls\.key: there is no such file/));
  test('TestPollingWatcher_Initial_BogusCaCert: is said, and mended', () =>
    expectMended((f) => f.write('ca.crt', 'bogus'), /ca\.crt: it holds no certificate/));
  test('TestPollingWatcher_Initial_BogusCert: is said, and mended', () =>
    expectMended((f) => f.write('tls.crt', 'bogus'), /tls\.crt: it holds no certificate/));
  test('TestPollingWatcher_Initial_BogusKey: is said, and mended', () =>
    expectMended((f) => f.write('tls.key', 'bogus'), /tls\.key: it holds no private key/));

  test('TestWatchFiles: a whole set is in use; each file that is bad, or lacks, is named', async () => {
    const folder = new TlsFolder();
    const whole = { ...folder.put('tls', first), ca: folder.write('ca.crt', authority.cert) };
    expect((await Lab.start(whole)).names).toEqual(['first.shop']);
    for (const role of ['cert', 'key', 'ca'] as const) {
      const bad = await Lab.start({ ...whole, [role]: folder.write(`bad-${role}`, 'bogus') });
      expect(bad.refused).toContain(`bad-${role}: `);
      const missing = await Lab.start({ ...whole, [role]: `${folder.path}/none-${role}` });
      expect(missing.refused).toContain(`none-${role}: there is no such file`);
    }
  });
});

describe('time', () => {
  test('a certificate that has not begun is refused, and used once it has, though no file has changed', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.put('tls', await issue(authority, ['later.shop'], { from: new Date(Date.now() + 3_600_000) }));
    await lab.nextLook();
    expect(lab.names).toEqual(['first.shop']);
    expect(lab.refused).toMatch(/the certificate of later\.shop begins only on/);
    lab.clock.advance(3_600_000);
    await lab.nextLook();
    expect(lab.names).toEqual(['later.shop']);
  });

  test('one that has ended is refused', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', first));
    folder.put('tls', await issue(authority, ['old.shop'], { from: inDays(-9), to: inDays(-1) }));
    await lab.nextLook();
    expect(lab.names).toEqual(['first.shop']);
    expect(lab.refused).toMatch(/the certificate of old\.shop ended on/);
  });

  test('the end of one in use is told 30 days, 7 days and 1 day before, and when it has come; each once', async () => {
    const folder = new TlsFolder();
    const lab = await Lab.start(folder.put('tls', await issue(authority, ['short.shop'], { to: inDays(90) })));
    const told: number[] = [];
    for (const days of [59, 61, 62, 82, 84, 88.5, 89.5, 91, 92]) {
      lab.clock.advance(days * dayMs - lab.clock.now());
      await lab.nextLook();
      told.push(lab.complaints.length);
    }
    expect(told).toEqual([0, 1, 1, 1, 2, 2, 3, 4, 4]);
    expect(lab.complaints.slice(0, 3)).toEqual([
      'the certificate of xds ends in 28 days',
      'the certificate of xds ends in 5 days',
      'the certificate of xds ends in 11 hours',
    ]);
    expect(lab.complaints[3]).toBe('the certificate of xds has ended');
    // Nothing better is known: it stays.
    expect(lab.names).toEqual(['short.shop']);
  });

  test('a renewed one is told anew, and that of a CA is told too', async () => {
    const folder = new TlsFolder();
    const files = folder.put('tls', await issue(authority, ['a.shop'], { from: inDays(-80), to: inDays(5) }));
    const ending = await newAuthority('ending CA', { from: inDays(-500), to: inDays(5) });
    const lab = await Lab.start({ ...files, ca: folder.write('ca.crt', ending.cert) });
    expect(lab.complaints).toEqual(['the certificate of xds ends in 4 days', 'the CA of xds ends in 4 days']);
    folder.put('tls', await issue(authority, ['b.shop'], { from: inDays(-80), to: inDays(4) }));
    await lab.nextLook();
    expect(lab.complaints.slice(2)).toEqual(['the certificate of xds ends in 3 days', 'the CA of xds ends in 4 days']);
  });

  test('of what lives for a day, only what a machine should have renewed is worth a word', () => {
    const hours = (count: number) => count * 60 * 60 * 1000;
    const certificate = (lifeMs: number) => ({
      subject: '',
      issuer: '',
      names: [],
      validFrom: new Date(0),
      validTo: new Date(lifeMs),
    });
    expect(thresholdsOf(certificate(hours(24)))).toEqual([hours(2.4), 0]);
    expect(thresholdsOf(certificate(90 * dayMs))).toEqual([30 * dayMs, 7 * dayMs, dayMs, 0]);
    expect(thresholdsOf(certificate(20 * dayMs))).toEqual([7 * dayMs, dayMs, 0]);
  });

  test.each([
    [45 * dayMs, '45 days'],
    [dayMs + 1, '24 hours'],
    [3 * 60 * 60 * 1000, '3 hours'],
    [90 * 60 * 1000, '90 minutes'],
    [1, '1 minutes'],
  ])('%d ms are %s', (ms, text) => {
    expect(timeText(ms)).toBe(text);
  });
});

test('a key that everybody can read is told once', async () => {
  const folder = new TlsFolder();
  const files = folder.put('tls', first);
  chmodSync(files.key, 0o644);
  const lab = await Lab.start(files);
  chmodSync(folder.put('tls', second).key, 0o644);
  await lab.nextLook();
  expect(lab.log.of('warn')).toEqual(['everybody on this host can read a private key']);
});

test('without files nothing is looked at, and the CAs of Node count', async () => {
  const lab = await Lab.start({});
  expect(lab.clock.timers).toBe(0);
  expect(lab.identity.material).toMatchObject({ authorities: [] });
  expect(lab.log.lines).toEqual([]);
});

test('once stopped, nothing is read or said any more', async () => {
  const folder = new TlsFolder();
  const lab = await Lab.start(folder.put('tls', first));
  lab.identity.stop();
  expect(lab.clock.timers).toBe(0);
  folder.remove('tls.key');
  await lab.identity.look();
  expect(lab.log.lines).toHaveLength(1);
});
