import type { Collection } from '../model/kinds.ts';
import { AggregatedExchange } from './aggregated.ts';
import type { Exchange } from './exchange.ts';
import { SinkExchange } from './sink.ts';
import type { SourceProfile } from './source-profile.ts';

/**
 * The exchange of one new stream, in the protocol that the profile names.
 *
 * @param collections what is asked for, in this order.
 * @param whole those of them of which whole states are asked for, whatever the profile says.
 */
export function newExchange(
  collections: Iterable<Collection>,
  profile: SourceProfile,
  whole: Iterable<Collection> = [],
): Exchange {
  return profile.protocol === 'resourceSource'
    ? new SinkExchange(collections, profile, whole)
    : new AggregatedExchange(collections, profile);
}
