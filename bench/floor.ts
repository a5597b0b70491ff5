/** The part `floor`: what a middle in JavaScript that looks at each resource cannot do without, beside the transport. */

import { copyBytes, viewed } from '../src/wire/bytes.ts';
import { readResources } from '../src/wire/legacy-messages.ts';
import { hashResource, newResourceParts, orderMaps, scanResource, seedOf } from '../src/wire/resource-parts.ts';
import { shapes } from '../src/wire/shapes.ts';
import { goals } from './support/goals.ts';
import { type Measured, measured } from './support/measured.ts';
import type { Part } from './support/part.ts';
import { ServiceEntries } from './support/service-entries.ts';
import { count, show, table } from './support/table.ts';

const { size } = goals.push;
const warmups = 15;
const samplesPerRound = 5;

const body = 'istio.networking.v1alpha3.ServiceEntry';
const seed = seedOf(viewed(Buffer.from(`type.googleapis.com/${body}`)));
const shape = shapes[body] ?? {};
const parts = newResourceParts();

/** Each does what those before it do, and one thing more. */
const depths = ['borders', 'scan', 'order of maps', 'content hash', 'copy'] as const;
type Depth = (typeof depths)[number];

type Result = { readonly size: number; readonly upTo: Depth; readonly cpuMs: Measured };

export const floor: Part = {
  note: [
    'A message of which all resources are other ones, in one loop without sockets, objects, tables or new memory: the',
    'borders of the resources; their envelope and metadata; maps, in bodies too, brought into order; a hash over the',
    'content; a copy into the order of names. CPU, and none of it can run beside the rest in one thread.',
  ].join('\n'),

  async run({ rounds, say }) {
    say('floor');
    const entries = new ServiceEntries(size);
    const places = placesByName(entries.message('0'));
    const target = viewed(Buffer.alloc(places.bytes));
    const samples = new Map<Depth, number[]>(depths.map((depth) => [depth, []]));
    for (let i = -warmups; i < rounds * samplesPerRound; i++) {
      entries.change('all');
      for (const depth of depths) {
        const message = entries.message(String(i));
        // What made the message is not to be collected while it is read.
        globalThis.gc?.();
        const ms = work(message, depths.indexOf(depth), places.starts, target);
        if (i >= 0) samples.get(depth)?.push(ms);
      }
    }
    const results = depths.map((upTo): Result => ({ size, upTo, cpuMs: measured(samples.get(upTo) ?? []) }));
    const rows = results.map(({ upTo, cpuMs }, i) => {
      const more = cpuMs.median - (results[i - 1]?.cpuMs.median ?? 0);
      return [count(size), upTo, show(cpuMs.median), show(more)];
    });
    return { results, table: table(['-resources', 'up to', '-CPU ms', '-more'], rows), verdicts: [] };
  },
};

/** Milliseconds of CPU of the whole process. */
function work(
  message: Buffer,
  depth: number,
  places: Int32Array,
  target: Buffer & { readonly view: DataView },
): number {
  const before = process.cpuUsage();
  const bytes = viewed(message);
  const { spans } = readResources(message);
  const last = depth > 0 ? spans.length : 0;
  for (let i = 0; i < last; i += 2) {
    const start = spans[i] as number;
    const end = spans[i + 1] as number;
    scanResource(bytes, start, end, parts);
    if (depth > 1) orderMaps(bytes, parts, shape);
    if (depth > 2) hashResource(bytes, parts, undefined, seed);
    if (depth > 3) copyBytes(bytes, start, end, target, places[i / 2] as number);
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / 1000;
}

/** Where each resource of the message begins when they lie in the order of their names. */
function placesByName(message: Buffer): { starts: Int32Array; bytes: number } {
  const bytes = viewed(message);
  const { spans } = readResources(message);
  const named = Array.from({ length: spans.length / 2 }, (_, place) => {
    const [start, end] = [spans[2 * place] as number, spans[2 * place + 1] as number];
    scanResource(bytes, start, end, parts);
    return { place, length: end - start, name: message.toString('latin1', parts.nameStart, parts.nameEnd) };
  }).sort((a, b) => (a.name < b.name ? -1 : 1));
  const starts = new Int32Array(named.length);
  let at = 0;
  for (const { place, length } of named) {
    starts[place] = at;
    at += length;
  }
  return { starts, bytes: at };
}
