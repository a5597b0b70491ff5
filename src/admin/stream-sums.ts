import { kindOfTypeUrl } from '../model/kinds.ts';
import type { StreamView } from '../xds/ads-server.ts';

/** The largest response of a kind to the istiods of one profile, and what those can receive. */
export type PushSize = {
  readonly kind: string;
  readonly profile: string;
  readonly bytes: number;
  readonly limit: number;
};

/** One for each kind and profile. */
export function pushSizes(streams: readonly StreamView[]): PushSize[] {
  const sizes = new Map<string, PushSize>();
  for (const { profile, types } of streams) {
    for (const { typeUrl, bytes, maxBytes: limit } of types) {
      const kind = kindOfTypeUrl(typeUrl)?.kind;
      if (kind === undefined || bytes === null) continue;
      const key = `${profile} ${kind}`;
      if (bytes >= (sizes.get(key)?.bytes ?? 0)) sizes.set(key, { kind, profile, bytes, limit });
    }
  }
  return [...sizes.values()];
}

/** How many resources of a kind an istiod drops, or may drop, for one reason. */
export type Dropped = { readonly kind: string; readonly reason: string; readonly resources: number };

/** Of several istiods, the one that drops most; one for each kind and reason. */
export function droppedByRevision(streams: readonly StreamView[]): Dropped[] {
  const most = new Map<string, Dropped>();
  for (const { kind, fate, reason, resources } of streams.flatMap(({ labelled }) => labelled)) {
    const key = `${kind} ${reason}`;
    if (fate !== 'taken' && resources > (most.get(key)?.resources ?? 0)) most.set(key, { kind, reason, resources });
  }
  return [...most.values()];
}
