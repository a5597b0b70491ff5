import { Bridge } from '../bridge.ts';
import { resourcesBytes } from '../capture-bytes.ts';
import { legacyResource, requireKind } from '../resources.ts';
import { ServingSource, sourceAt } from '../serving-source.ts';
import { until } from '../until.ts';
import { WatchingIstiod } from '../watching-istiod.ts';
import { heapBytes } from './heap.ts';
import { HostileSource } from './hostile-source.ts';

/** Hostile sources at once. */
const hostiles = 8;

/** What a run has seen. */
export type SourcesReport = {
  /** Streams of the bridge that hostile sources have answered. */
  readonly calls: number;
  /** Bytes of this process' heap, soon after the beginning, and at the end. */
  readonly memory: { readonly before: number; readonly after: number };
};

/**
 * A bridge that dials a good source, and others that answer with anything. The good one's news reach istiod all along.
 *
 * @param goOn asked every now and then, with the calls so far.
 * @throws where they do not.
 */
export async function fuzzSources(seed: number, goOn: (calls: number) => boolean): Promise<SourcesReport> {
  const gateway = requireKind('Gateway');
  const gateways = gateway.collection ?? '';
  const messages = [
    resourcesBytes(gateways, '1', [legacyResource('shop/entry', 'x', gateway.body)]),
    resourcesBytes(gateways, '2', [], { incremental: true, removedResources: ['shop/entry'] }),
  ];
  const good = await ServingSource.listen({ 'shop/kept': 'one' });
  const bad = await Promise.all(
    Array.from({ length: hostiles }, (_, index) => HostileSource.listen(seed + index, messages)),
  );
  const sources = bad.map(({ port }, index) => sourceAt(`bad-${index}`, port, { collections: [gateways] }));
  const bridge = await Bridge.of(
    { sources: [sourceAt('good', good.port), ...sources] },
    // They are dialled again at once, and one that broke HTTP/2 is found out soon.
    { random: () => 0.001, keepalive: { sources: { timeMs: 300, timeoutMs: 300 } } },
  );
  const istiod = WatchingIstiod.connect(bridge.ports.xds);
  const calls = () => bad.reduce((sum, { source }) => sum + source.calls, 0);
  let before: number | undefined;
  for (let round = 0; goOn(calls()); round++) {
    const news = `news-${round}`;
    good.publish({ 'shop/kept': 'one', 'shop/new': news });
    await istiod.hasOnly({ 'shop/kept': 'one', 'shop/new': news });
    if (istiod.lost('shop/kept').length > 0) throw new Error('a response lacked what was never taken away');
    const seen = calls();
    await until('hostile sources are dialled again', () => calls() > seen + hostiles);
    // What the test itself remembers is no leak.
    bridge.log.lines.length = 0;
    istiod.peer.responses.length = 0;
    istiod.history.splice(0, istiod.history.length - 1);
    before ??= heapBytes();
  }
  const after = heapBytes();
  return { calls: calls(), memory: { before: before ?? after, after } };
}
