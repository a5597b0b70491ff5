import { describe, expect, test } from 'vitest';
import type { StreamView } from '../../../src/xds/ads-server.ts';
import { Bridge, startSource } from '../../support/bridge.ts';
import { run } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import type { Istiod } from '../../support/istiod/istiod.ts';
import { IstiodLab, object, servicesOf, upTo111 } from '../../support/istiod/lab.ts';
import { viewOf } from '../../support/legacy-states.ts';
import { until } from '../../support/until.ts';

const mib4 = 4 << 20;

/** An old istiod, and a source with one ServiceEntry of any size. */
class Growth {
  readonly lab: IstiodLab;
  readonly istiod: Istiod;
  #said = 0;

  constructor(lab: IstiodLab, istiod: Istiod) {
    this.lab = lab;
    this.istiod = istiod;
  }

  async type() {
    const streams = await this.lab.bridge.page<StreamView[]>('/debug/streams');
    return streams[0]?.types.find(({ typeUrl }) => typeUrl === this.istiod.typeOf('ServiceEntry'));
  }

  /** Says an annotation of this length; returns the size of the response that comes of it, sent or not. */
  async grow(length: number): Promise<number> {
    const before = await this.#published();
    this.lab.say(
      object('shop/a', `state-${++this.#said % 10}`, { annotations: { note: 'x'.repeat(length) } }),
      object('shop/w', '192.0.2.1', { kind: 'WorkloadEntry' }),
    );
    await until('it is published', async () => (await this.#published()) !== before);
    const version = await this.#published();
    await until('it is acknowledged, or too large', async () => {
      const type = await this.type();
      const bytes = type?.bytes ?? 0;
      // Of one that is too large no version is shown; its size tells it apart from one before it.
      return type?.tooLarge === true ? bytes > length && bytes < length + 1000 : type?.ackedVersion === version;
    });
    return (await this.type())?.bytes ?? 0;
  }

  /** Says so much that the response has this size. */
  async growTo(bytes: number): Promise<void> {
    const overhead = (await this.grow(bytes - 1000)) - (bytes - 1000);
    expect(await this.grow(bytes - overhead)).toBe(bytes);
  }

  logged(level: 'warn' | 'error'): string[] {
    return this.lab.bridge.log.of(level).filter((message) => /for this istiod|fits this istiod/.test(message));
  }

  /** The version of all ServiceEntries. */
  async #published(): Promise<string | null | undefined> {
    const [entries] = await this.lab.bridge.page<{ readonly version: string | null }[]>('/debug/snapshot');
    return entries?.version;
  }
}

describe.each(upTo111)('4 MiB, which %s takes', (version) => {
  test('are watched: a warning from 80 % on, the last byte is sent, one more is not and the last that fits stays', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'first')]);
    const growth = new Growth(lab, await lab.istiod(version));
    const { istiod } = growth;
    await eventually(() => servicesOf(istiod)['shop/a'] === 'first');

    const near = Math.ceil(0.8 * mib4);
    await growth.growTo(near - 1);
    expect(growth.logged('warn')).toEqual([]);
    expect((await run('status', lab.bridge.adminUrl)).stdout).not.toContain('nearly too large');
    await growth.growTo(near);
    expect(growth.logged('warn')).toEqual(['a type is nearly too large for this istiod']);
    const status = await run('status', lab.bridge.adminUrl);
    expect(status.code).toBe(1);
    expect(status.stdout).toMatch(/^! networking\S+ServiceEntry is nearly too large for \S+: 3\.2 MiB of 4\.0 MiB$/m);
    expect(status.stdout).toContain('ServiceEntry 3.2 MiB (80 %)');
    const check = await run('check', '--admin', lab.bridge.adminUrl, '-o', 'json');
    expect(check.stdout).toContain('"NEARLY_TOO_LARGE"');

    await growth.growTo(mib4);
    expect(growth.logged('error')).toEqual([]);
    expect((await growth.type())?.tooLarge).toBe(false);
    const kept = servicesOf(istiod)['shop/a'];
    expect(await growth.grow(mib4 + 10)).toBeGreaterThan(mib4);
    expect(growth.logged('error')).toEqual(['a type is too large for this istiod']);
    expect(await growth.type()).toMatchObject({ tooLarge: true, maxBytes: mib4 });
    expect(servicesOf(istiod)['shop/a']).toBe(kept);
    expect((await run('status', lab.bridge.adminUrl)).stdout).toMatch(
      /^! \S+ServiceEntry is too large for \S+, which keeps what it had: 4\.0 MiB of 4\.0 MiB$/m,
    );
    const metrics = await (await lab.bridge.fetch('/metrics')).text();
    const size = /isthmus_push_size_bytes\{kind="ServiceEntry",profile="up-to-1\.11"\} (\d+)/.exec(metrics)?.[1];
    expect(Number(size)).toBeGreaterThan(mib4);
    expect(metrics).toContain(`isthmus_push_limit_bytes{kind="ServiceEntry",profile="up-to-1.11"} ${mib4}\n`);

    await growth.grow(1000);
    expect((await growth.type())?.tooLarge).toBe(false);
    expect([istiod.disconnects, istiod.fatal]).toEqual([0, undefined]);
    expect((await run('status', lab.bridge.adminUrl)).stdout).toContain('all is well');
  });

  test('are no more where it comes back: it is sent nothing of the type, and keeps what it had', async () => {
    const lab = await IstiodLab.start([object('shop/a', 'first')]);
    const istiod = await lab.istiod(version);
    await eventually(() => servicesOf(istiod)['shop/a'] === 'first');
    const growth = new Growth(lab, istiod);
    await growth.grow(mib4 + 1);
    istiod.cut();
    await eventually(() => istiod.streams === 2 && istiod.store.list(istiod.typeOf('WorkloadEntry')).size === 1);
    await until('it is too large', async () => (await growth.type())?.tooLarge === true);
    expect(servicesOf(istiod)).toEqual({ 'shop/a': 'first' });
    expect((await growth.type())?.sentVersion).toBeNull();
  });
});

describe('maxMessage of a source', () => {
  test('is watched: a warning, a metric and a finding from 80 % on', async () => {
    const { address } = await startSource(viewOf({ 'shop/orders': 'a'.repeat(750) }));
    const near = await Bridge.of({ sources: [{ name: 'galley', address, maxMessage: '1KiB' }] });
    await near.complete();
    expect(near.log.of('warn')).toContain('the messages of a source are nearly too large');
    const { stdout } = await run('status', near.adminUrl);
    expect(stdout).toMatch(/^! messages of ServiceEntry of galley are nearly too large: \d+ B of 1\.0 KiB$/m);
    const metrics = await (await near.fetch('/metrics')).text();
    const labels = 'source="galley",collection="istio/networking/v1alpha3/serviceentries"';
    expect(metrics).toMatch(new RegExp(`isthmus_source_message_bytes\\{${labels}\\} (8|9)\\d\\d\n`));
    expect(metrics).toContain(`isthmus_source_message_limit_bytes{${labels}} 1024\n`);
  });
});
