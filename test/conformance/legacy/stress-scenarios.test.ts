import * as fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { defaultSourceProfile } from '../../../src/legacy/source-profile.ts';
import { type Dataset, DeltaSource, systemVersion } from '../../support/delta-source.ts';
import { eventually } from '../../support/eventually.ts';
import { LegacySource } from '../../support/legacy-source.ts';
import { gw, se, SinkLab, we } from '../../support/sink-lab.ts';

// Istio's stress tests of both roles (pkg/mcp/tests/stress), for the sink: random states are published faster than sinks
// take them; whatever of them a sink is sent, and in whatever form, the hash over the names and versions that it holds is
// the system_version_info of the message that it acknowledges. Ours keeps contents, which the source makes of the versions.
// Smaller than there: 5 collections, since our sink asks for no other names than Istio's, and 4 sinks.

const collections = [
  se,
  we,
  gw,
  ...['virtualservices', 'destinationrules'].map((name) => `istio/networking/v1alpha3/${name}`),
];
const sinkCount = 4;
/** States that are published while no sink is connected, after an end of all streams. */
const stepsAway = 8;

const change = fc.record({
  collection: fc.constantFrom(...collections),
  name: fc.integer({ min: 0, max: 15 }),
  isDeleted: fc.boolean(),
});
/** What happens before a state is published, and how many turns the sinks have until the next one. */
const step = fc.record({
  changes: fc.array(change, { maxLength: 20 }),
  pause: fc.constantFrom('all have it', 0, 1, 5, 10),
});
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;

/** The same for every test. */
const steps = fc.sample(fc.array(step, { minLength: 60, maxLength: 60 }), { numRuns: 1, seed: 1 })[0] as Step[];

/** The state after each step. */
const datasets = steps.map(() => ({})) as Dataset[];
for (const [index, { changes }] of steps.entries()) {
  const before = datasets[index - 1] ?? {};
  const after = Object.fromEntries(collections.map((collection) => [collection, { ...before[collection] }]));
  for (const { collection, name, isDeleted } of changes) {
    const of = after[collection] as Record<string, string>;
    if (isDeleted) delete of[`ns/c_${name}`];
    else of[`ns/c_${name}`] = `v${index}`;
  }
  datasets[index] = after;
}

/** Lets other work have `count` turns. */
async function turns(count: number): Promise<void> {
  for (let n = 0; n < count; n++) await new Promise(setImmediate);
}

type Load = {
  /** Whether the source sends changes. */
  readonly sourceIsIncremental: boolean;
  /** How many sinks ask for changes. */
  readonly incrementalSinks: number;
  /** Whether a sink takes its time over each message. */
  readonly isSlow?: boolean;
  /** Steps after which the source ends all streams. */
  readonly ends?: readonly number[];
  /** As sources of 1.6 to 1.8 do. */
  readonly firstIsUnflagged?: boolean;
};

/** Publishes all states; returns what the source sent, once every sink has the last one. */
async function run(load: Load): Promise<DeltaSource['sent']> {
  const { sourceIsIncremental, incrementalSinks, isSlow = false, ends = [], firstIsUnflagged = false } = load;
  const server = await LegacySource.listen();
  const source = new DeltaSource(server, datasets[0] as Dataset, {
    incremental: sourceIsIncremental,
    firstIsUnflagged,
  });
  const labs = new Map(
    Array.from({ length: sinkCount }, (_, index) => {
      const profile = { ...defaultSourceProfile, sinkNodeId: `sink-${index}`, incremental: index < incrementalSinks };
      return [profile.sinkNodeId, new SinkLab(server.port, { collections, profile })] as const;
    }),
  );
  const wrong: object[] = [];
  const acked = new Map<string, string>();
  let answers = 0;
  source.onAnswer = ({ sink, collection, systemVersionInfo, isRefused }) => {
    answers++;
    acked.set(`${sink} ${collection}`, systemVersionInfo);
    const held = labs.get(sink)?.held(collection) ?? {};
    if (isRefused || systemVersion(held) !== systemVersionInfo)
      wrong.push({ sink, collection, systemVersionInfo, held });
  };
  /** Waits until every sink has acknowledged this state. */
  const taken = (dataset: Dataset) =>
    eventually(() =>
      collections.every((collection) => {
        const version = systemVersion(dataset[collection] ?? {});
        return [...labs.keys()].every((sink) => acked.get(`${sink} ${collection}`) === version);
      }),
    );
  if (isSlow) {
    source.onSend = (sink) => {
      const lab = labs.get(sink);
      if (lab !== undefined) lab.door = turns(25 + (answers % 25));
    };
  }
  for (const lab of labs.values()) lab.client.start();
  await taken(datasets[0] as Dataset);
  let isAway = false;
  for (const [index, dataset] of datasets.entries()) {
    source.publish(dataset);
    if (ends.includes(index)) {
      for (const stream of server.streams) if (!stream.closed) stream.end(14, 'gone');
      for (const lab of labs.values()) await lab.failure();
      isAway = true;
    } else if (ends.includes(index - stepsAway)) {
      acked.clear();
      for (const lab of labs.values()) await lab.retry();
      await taken(dataset);
      isAway = false;
    }
    const pause = steps[index]?.pause ?? 0;
    if (typeof pause === 'number') await turns(pause);
    else if (!isAway) await taken(dataset);
  }
  const last = datasets.at(-1) as Dataset;
  await taken(last);
  for (const lab of labs.values()) {
    for (const collection of collections) expect(lab.held(collection)).toEqual(last[collection]);
  }
  await Promise.all([...labs.values()].map((lab) => lab.stop()));
  await server.kill();
  expect(wrong).toEqual([]);
  expect(source.stale).toBe(0);
  // Not every state reaches every sink: those that come while one is out are one message.
  expect(source.sent.messages).toBeLessThan(sinkCount * collections.length * datasets.length);
  return source.sent;
}

// Go's sinks refuse one message in a hundred, to see that the source goes on; ours refuses none of what it asked for.
describe('whatever a source sends, what is held is what it says', () => {
  test('TestFullState: whole states', async () => {
    expect(await run({ sourceIsIncremental: false, incrementalSinks: 0 })).toMatchObject({
      incremental: 0,
      removed: 0,
    });
  });

  test('TestServerSupportedIncrementalOnly: whole states of a source that could send changes', async () => {
    expect(await run({ sourceIsIncremental: true, incrementalSinks: 0 })).toMatchObject({ incremental: 0, removed: 0 });
  });

  test('TestServerSupportedIncremental50PercentClients: changes for half of the sinks', async () => {
    const { messages, incremental, removed } = await run({
      sourceIsIncremental: true,
      incrementalSinks: sinkCount / 2,
    });
    expect(incremental).toBeGreaterThan(messages / 4);
    expect(incremental).toBeLessThan((3 * messages) / 4);
    expect(removed).toBeGreaterThan(0);
  });

  test('TestServerSupportedIncremental100PercentClients: changes for all, the first message of each collection flagged as one', async () => {
    const { messages, incremental, removed } = await run({ sourceIsIncremental: true, incrementalSinks: sinkCount });
    expect(incremental).toBe(messages);
    expect(removed).toBeGreaterThan(0);
  });

  test('TestFullStateSlowClients: changes for sinks that take their time', async () => {
    const slow = await run({ sourceIsIncremental: true, incrementalSinks: sinkCount, isSlow: true });
    expect(slow.incremental).toBe(slow.messages);
    expect(slow.removed).toBeGreaterThan(0);
  });

  // Not in Go's tests, and not so there: a sink of 1.6 to 1.8 keeps what was deleted while it was away, since it takes the
  // first message of a collection for the change that its flag says it is.
  test.each([true, false])(
    'also over ends of the stream, where the first message of all is unflagged: %s',
    async (firstIsUnflagged) => {
      const load = { sourceIsIncremental: true, incrementalSinks: sinkCount, ends: [15, 30, 45], firstIsUnflagged };
      const { messages, incremental } = await run(load);
      expect(messages - incremental).toBe(firstIsUnflagged ? 4 * sinkCount : 0);
    },
  );
});
