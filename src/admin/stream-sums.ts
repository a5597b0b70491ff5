import { kindOfTypeUrl } from '../model/kinds.ts';
import { noSeat } from '../model/seats.ts';
import type { SeatNumbers } from '../observe/metrics-view.ts';
import { kindName } from '../xds/ads.ts';
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

/** One for each seat and kind that was asked for there, under however many names. */
export function seatSums(streams: readonly StreamView[]): SeatNumbers[] {
  const sums = new Map<string, SeatNumbers>();
  for (const { seat = noSeat, types } of streams) {
    for (const { typeUrl, progress } of types) {
      const kind = kindName(typeUrl);
      const sum = sums.get(`${seat} ${kind}`);
      sums.set(`${seat} ${kind}`, {
        seat,
        kind,
        pushes: progress.pushes + (sum?.pushes ?? 0),
        acks: progress.acks + (sum?.acks ?? 0),
        nacks: progress.nacks + (sum?.nacks ?? 0),
        bytes: progress.bytes + (sum?.bytes ?? 0),
        waitedMs: progress.waitedMs + (sum?.waitedMs ?? 0),
        behindMs: Math.max(progress.behindMs, sum?.behindMs ?? 0),
      });
    }
  }
  return [...sums.values()];
}
