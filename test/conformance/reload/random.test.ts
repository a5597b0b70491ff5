import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { Bridge } from '../../support/bridge.ts';
import { ServingSource, sourceAt } from '../../support/serving-source.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { until } from '../../support/until.ts';
import { versionsOf, XdsPeer } from '../../support/xds-peer.ts';
import { propertyTimeoutMs, runs } from '../../unit/state-model/runs.ts';

const se = 'networking.istio.io/v1/ServiceEntry';
const names = ['a', 'b', 'c'] as const;
type Name = (typeof names)[number];

/** Resources of a server, of few names, so that several servers have the same. */
const state = fc.uniqueArray(fc.constantFrom('n/1', 'n/2', 'n/3', 'n/4'), { maxLength: 4 });

const step = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      type: fc.constant('config' as const),
      /** In order of precedence, each at the address of one of the servers. */
      sources: fc.uniqueArray(fc.record({ name: fc.constantFrom(...names), server: fc.nat(2) }), {
        selector: ({ name }) => name,
      }),
      confirmed: fc.uniqueArray(fc.constantFrom(...names), { maxLength: 1 }),
    }),
  },
  { weight: 4, arbitrary: fc.record({ type: fc.constant('server' as const), server: fc.nat(2), state }) },
  { weight: 1, arbitrary: fc.constant({ type: 'restart' as const }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** A bridge, an istiod, three servers, and what each source is known to have. */
class Life {
  readonly #servers: readonly ServingSource[];
  readonly #states: string[][];
  readonly #held = new Map<Name, readonly string[]>();
  readonly #stateDir = tempFolder();
  #at = new Map<Name, number>();
  #confirmed: readonly Name[] = [];
  #bridge!: Bridge;
  #istiod!: XdsPeer;
  #looked = 0;

  constructor(servers: readonly ServingSource[], states: readonly (readonly string[])[]) {
    this.#servers = servers;
    this.#states = states.map((one) => [...one]);
    for (const i of servers.keys()) this.#publish(i);
  }

  async happen(one: Step): Promise<void> {
    let before = new Map(this.#held);
    if (one.type === 'config') {
      this.#at = new Map(one.sources.map(({ name, server }) => [name, server]));
      this.#confirmed = one.confirmed.filter((name) => !this.#at.has(name));
      for (const name of this.#confirmed) this.#held.delete(name);
      before = new Map(this.#held);
      await this.#bridge.reload(this.#settings());
    } else if (one.type === 'server') {
      this.#states[one.server] = [...one.state];
      this.#publish(one.server);
    } else await this.restart();
    await this.#settled();
    for (const [name, server] of this.#at) this.#held.set(name, this.#states[server] as string[]);
    const after = this.#expected();
    await until(`istiods are given ${after.join()}`, async () => (await this.#served()).join() === after.join());
    // What this step sent is looked at in this step: on a busy machine it may come much later.
    await until(`istiod has ${after.join()}`, () => this.#received()?.join() === after.join());
    // Whatever came on the way had everything that some source has had all the time. What one source has lost and another
    // has got, as they change places, may be away for a moment: who is at the address of the one does not have it.
    const always = Array.from(before, ([name, had]) => had.filter((key) => this.#held.get(name)?.includes(key))).flat();
    for (; this.#looked < this.#istiod.responses.length; this.#looked++) {
      const response = this.#istiod.responses[this.#looked];
      if (response !== undefined) expect(Object.keys(versionsOf(response))).toEqual(expect.arrayContaining(always));
    }
  }

  async restart(): Promise<void> {
    await this.stop();
    this.#bridge = await Bridge.of(this.#settings());
    this.#looked = 0;
    this.#istiod = XdsPeer.connect(this.#bridge.ports.xds);
    this.#istiod.onResponse = (response) => this.#istiod.ack(response);
    this.#istiod.subscribe(se);
  }

  async stop(): Promise<void> {
    await (this.#bridge as Bridge | undefined)?.app.stop();
  }

  #settings(): ConfigInput {
    return {
      stateDir: this.#stateDir,
      // What a source says is believed at once: the guard has tests of its own.
      guard: { hold: '0s' },
      shutdownGrace: '60s',
      xds: { listen: '127.0.0.1:0', minGap: '0s' },
      sources: Array.from(this.#at, ([name, server]) => sourceAt(name, (this.#servers[server] as ServingSource).port)),
      confirmRemoval: [...this.#confirmed],
    };
  }

  #publish(server: number): void {
    const entries = (this.#states[server] ?? []).map((name) => [name, `of ${server}`]);
    this.#servers[server]?.publish(Object.fromEntries(entries) as Record<string, string>);
  }

  /** Until every source that the config names has said what it has now. */
  async #settled(): Promise<void> {
    for (const [i, { source }] of this.#servers.entries()) {
      const dialled = [...this.#at.values()].filter((server) => server === i).length;
      await until('all have said what they have', () => {
        const open = source.streams.filter(({ closed }) => !closed);
        const isSaid = open.every(({ sentMessages, acked }) => sentMessages > 0 && acked.length === sentMessages);
        return open.length === dialled && isSaid;
      });
    }
  }

  #expected(): string[] {
    return [...new Set([...this.#held.values()].flat())].toSorted();
  }

  /** What the istiod was sent last; undefined before there was anything. */
  #received(): string[] | undefined {
    const response = this.#istiod.responses.at(-1);
    return response === undefined ? undefined : Object.keys(versionsOf(response)).toSorted();
  }

  async #served(): Promise<string[]> {
    const { resources } = await this.#bridge.page<{ resources: { key: string }[] }>('/debug/snapshot/ServiceEntry');
    return resources.map(({ key }) => key);
  }
}

test(
  'whatever configs are read, whatever servers say, with restarts: nothing leaves that no source took away, and nobody confirmed',
  async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.tuple(state, state, state),
        fc.array(step, { minLength: 4, maxLength: 10, size: 'max' }),
        async (states, steps) => {
          const servers = await Promise.all(states.map(() => ServingSource.listen({})));
          const life = new Life(servers, states);
          await life.restart();
          try {
            for (const one of steps) await life.happen(one);
          } finally {
            await life.stop();
            await Promise.all(servers.map(({ source }) => source.kill()));
          }
        },
      ),
      runs(15),
    );
  },
  propertyTimeoutMs,
);
