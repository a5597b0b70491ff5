import type { Clock, Timer } from '../model/clock.ts';
import { IsthmusError, messageOf } from '../model/errors.ts';
import type { LogFields, Logger } from '../model/logger.ts';
import { type Certificate, nameOfCertificate } from './tls-certificate.ts';
import { judgeTls, lastToEnd, readTlsFiles, type TlsFiles, type TlsMaterial } from './tls-files.ts';

/** Between two looks at the files. */
const lookMs = 5000;

const dayMs = 24 * 60 * 60 * 1000;

/** An end that is nearer than this is told, each once. */
const warnBeforeMs = [30 * dayMs, 7 * dayMs, dayMs];

export type IdentityOptions = {
  /** What it is for, in logs and as a metric label: `xds`, `sink`, `source/NAME`. */
  readonly use: string;
  readonly files: TlsFiles;
  readonly clock: Clock;
  readonly log: Logger;
};

/** Why the files can't be used. */
type Refusal = { readonly what: string; readonly next: string; readonly since: Date };

/** What an operator sees of an identity: no key. */
export type IdentityView = {
  readonly use: string;
  readonly files: TlsFiles;
  /** In use; undefined where there is none. */
  readonly certificate: Certificate | undefined;
  readonly authorities: readonly Certificate[];
  /** Why what the files hold now is not in use. */
  readonly refused: Refusal | undefined;
  /** True where nothing can be used at all. */
  readonly isUnusable: boolean;
};

/**
 * Our certificate, and the CAs that peers are verified by, as some PEM files have them; without files, the CAs of Node. The
 * files are looked at every 5 seconds, whatever they are: links that are swapped, as Kubernetes does, files that are
 * renamed or written in place. What does not fit together, or not yet or no longer counts, is refused, and what was in
 * use stays in use.
 */
export class Identity {
  readonly #options: IdentityOptions;
  #material: TlsMaterial | undefined;
  #refused: Refusal | undefined;
  /** Of what was judged last. */
  #mark: string | undefined;
  #isKeyOpen = false;
  /** The least of {@link thresholdsOf} that was told. */
  readonly #told = new Map<'certificate' | 'ca', number>();
  #ready: Promise<void> | undefined;
  #timer: Timer | undefined;
  #isStopped = false;

  constructor(options: IdentityOptions) {
    this.#options = options;
  }

  /** What new connections are to use; undefined where nothing can be used. */
  get material(): TlsMaterial | undefined {
    return this.#material;
  }

  get files(): TlsFiles {
    return this.#options.files;
  }

  get view(): IdentityView {
    const { use, files } = this.#options;
    return {
      use,
      files,
      certificate: this.#material?.certificate,
      authorities: this.#material?.authorities ?? [],
      refused: this.#refused,
      isUnusable: this.#material === undefined,
    };
  }

  /** Reads the files, and goes on to look at them. Settles once they were read, or after 5 s; never rejects. */
  start(): Promise<void> {
    this.#ready ??= this.#begin();
    return this.#ready;
  }

  stop(): void {
    this.#isStopped = true;
    this.#timer?.cancel();
  }

  /** Looks at the files now. Never rejects. */
  async look(): Promise<void> {
    const { files } = this.#options;
    try {
      await this.#take();
    } catch {
      // They may have been exchanged while they were read.
      try {
        await this.#take();
      } catch (error) {
        this.#refuse(error);
      }
    }
    if (files.cert !== undefined) this.#tellEnd('certificate', this.#material?.certificate);
    if (files.ca !== undefined) this.#tellEnd('ca', lastToEnd(this.#material?.authorities ?? []));
  }

  async #begin(): Promise<void> {
    const { clock } = this.#options;
    let patience: Timer | undefined;
    // A disk that hangs keeps nobody from starting.
    const tooLong = new Promise<void>((resolve) => {
      patience = clock.after(lookMs, resolve);
    });
    await Promise.race([this.#lookOnAndOn(), tooLong]);
    patience?.cancel();
  }

  /** Settles after the first look. */
  async #lookOnAndOn(): Promise<void> {
    await this.look();
    // Without files nothing can change.
    if (this.#isStopped || Object.values(this.files).every((file) => file === undefined)) return;
    this.#timer = this.#options.clock.after(lookMs, () => void this.#lookOnAndOn());
  }

  async #take(): Promise<void> {
    const { files, clock, log, use } = this.#options;
    const texts = await readTlsFiles(files);
    if (this.#isStopped || (texts.mark === this.#mark && this.#refused === undefined)) return;
    const before = this.#material;
    const material = judgeTls(files, texts, clock.date().getTime());
    const wasRefused = this.#refused !== undefined;
    this.#refused = undefined;
    this.#mark = texts.mark;
    if (before?.mark !== texts.mark) {
      this.#material = material;
      this.#told.clear();
    }
    if (texts.keyIsOpen && !this.#isKeyOpen) {
      const hint = 'chmod o-r; of a Secret in Kubernetes, set defaultMode: 0400 and fsGroup';
      log.warn({ use, file: files.key, hint }, 'everybody on this host can read a private key');
    }
    this.#isKeyOpen = texts.keyIsOpen;
    // Without files there is nothing to say.
    if (Object.keys(summaryOf(material)).length === 0) return;
    if (before === undefined || before.mark !== texts.mark) {
      const what = before === undefined ? 'TLS files are in use' : 'renewed TLS files are in use; open streams stay';
      log.info({ use, ...summaryOf(material) }, what);
    } else if (wasRefused) log.info({ use, ...summaryOf(material) }, 'the TLS files are as before again');
  }

  #refuse(error: unknown): void {
    const { clock, log, use } = this.#options;
    if (this.#isStopped) return;
    const { message, hint = '' } =
      error instanceof IsthmusError ? error : { message: messageOf(error), hint: undefined };
    const isNews = this.#refused?.what !== message;
    this.#refused = {
      what: message,
      next: hint,
      since: isNews ? clock.date() : (this.#refused?.since ?? clock.date()),
    };
    if (!isNews) return;
    const stays =
      this.#material === undefined ? 'no connection is possible until they can' : 'those before them stay in use';
    log.error({ use, hint }, `TLS files can't be used, ${stays}: ${message}`);
  }

  /** Says once for each threshold that the end is near. */
  #tellEnd(role: 'certificate' | 'ca', certificate: Certificate | undefined): void {
    if (certificate === undefined) return;
    const { clock, log, use, files } = this.#options;
    const left = certificate.validTo.getTime() - clock.date().getTime();
    const passed = thresholdsOf(certificate).filter((threshold) => left < threshold);
    const nearest = Math.min(...passed);
    if (passed.length === 0 || nearest >= (this.#told.get(role) ?? Number.POSITIVE_INFINITY)) return;
    this.#told.set(role, nearest);
    const file = role === 'ca' ? files.ca : files.cert;
    const fields = { use, file, names: nameOfCertificate(certificate), validTo: certificate.validTo.toISOString() };
    const what = role === 'ca' ? 'the CA' : 'the certificate';
    if (left < 0) log.error({ ...fields, hint: 'renew it now: peers refuse it' }, `${what} of ${use} has ended`);
    else
      log.warn(
        { ...fields, hint: 'renew it, if nothing does so by itself' },
        `${what} of ${use} ends in ${timeText(left)}`,
      );
  }
}

/**
 * How long before its end, in milliseconds, a certificate is worth a word. One that lives for a month or less is renewed by
 * a machine, later than that: only what is late even then is told.
 */
export function thresholdsOf({ validFrom, validTo }: Certificate): number[] {
  const lifeMs = validTo.getTime() - validFrom.getTime();
  const usual = warnBeforeMs.filter((threshold) => lifeMs >= 2 * threshold);
  return [...(usual.length === 0 ? [lifeMs / 10] : usual), 0];
}

/** `12 days`, `5 hours`. @param ms 0 or more. */
export function timeText(ms: number): string {
  const days = Math.floor(ms / dayMs);
  if (days > 1) return `${days} days`;
  const hours = Math.floor(ms / (60 * 60 * 1000));
  return hours > 1 ? `${hours} hours` : `${Math.ceil(ms / 60_000)} minutes`;
}

function summaryOf({ certificate, authorities }: TlsMaterial): LogFields {
  return {
    ...(certificate === undefined
      ? {}
      : { names: nameOfCertificate(certificate), validTo: certificate.validTo.toISOString() }),
    ...(authorities.length === 0 ? {} : { authorities: authorities.map(nameOfCertificate) }),
  };
}
