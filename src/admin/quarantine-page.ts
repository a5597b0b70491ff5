import type { Holding } from '../store/holding.ts';
import type { Store } from '../store/store.ts';
import { shortName } from '../model/kinds.ts';
import type { QuarantinePage, QuarantineView } from './views.ts';

/**
 * What is quarantined, or taken although it breaks a rule: by source and kind, in the order of the config, and by key.
 *
 * @param after `SOURCE/KIND/KEY` of the last one of the page before; '' = from the beginning.
 * @param limit keys; one that is there twice, with the form that is held back and the one that is sent, counts once.
 */
export function quarantinePage(store: Store, after: string, limit: number): QuarantinePage {
  const [, source = '', kind = '', key = ''] = /^([^/]*)\/([^/]*)\/(.*)$/s.exec(after) ?? [];
  const rows: QuarantineView[] = [];
  let left = limit;
  let last: string | undefined;
  let isBehind = source === '';
  for (const [origin, holdings] of store.origins) {
    for (const [kindId, holding] of holdings) {
      const isCursor = origin === source && shortName(kindId) === kind;
      if (!isBehind && !isCursor) continue;
      isBehind = true;
      const { keys, more } = nextKeys(holding, isCursor ? key : undefined, left);
      for (const one of keys) {
        rows.push(...viewsOf(store, origin, kindId, holding, one));
        last = `${origin}/${shortName(kindId)}/${one}`;
      }
      left -= keys.length;
      if (more) return { rows, last };
    }
  }
  return { rows, last: undefined };
}

/** The same of one key, of all sources. */
export function quarantineOf(store: Store, kindId: string, key: string): QuarantineView[] {
  return Array.from(store.origins).flatMap(([origin, holdings]) => {
    const holding = holdings.get(kindId);
    return holding === undefined ? [] : viewsOf(store, origin, kindId, holding, key);
  });
}

/** The first keys behind `after`, in order, and whether there are more. */
function nextKeys({ quarantine, refused }: Holding, after: string | undefined, limit: number) {
  let keys: string[] = [];
  let more = false;
  /** Of a full page, the last one. */
  let bound: string | undefined;
  const cut = () => {
    // A key that is in both comes twice.
    const sorted = keys.toSorted().filter((key, i, all) => key !== all[i - 1]);
    more ||= sorted.length > limit;
    keys = sorted.slice(0, limit);
    bound = keys[limit - 1];
  };
  for (const held of [quarantine, refused]) {
    for (const key of held.keys()) {
      if (after !== undefined && key <= after) continue;
      if (bound !== undefined && key > bound) {
        more = true;
        continue;
      }
      keys.push(key);
      // Of a hundred thousand, little more than those of the page are sorted.
      if (keys.length > 2 * limit + 1000) cut();
    }
  }
  cut();
  return { keys, more };
}

function viewsOf(store: Store, source: string, kindId: string, holding: Holding, key: string): QuarantineView[] {
  const views: QuarantineView[] = [];
  for (const held of [holding.quarantine, holding.refused]) {
    const entry = held.get(key);
    if (entry === undefined) continue;
    const { reason, message, since, lastGoodSent } = entry;
    const isRefused = held === holding.refused;
    const sent = isRefused ? sentOfRefused(store, kindId, key) : lastGoodSent ? 'last_good' : 'nothing';
    const kind = shortName(kindId);
    views.push({ source, kind, resource: key, reason, message, since: since.toISOString(), lastGoodSent, sent });
  }
  return views;
}

/** What is sent in the place of a form that breaks a rule of Istio, and that was taken all the same. */
function sentOfRefused({ conflicts }: Store, kindId: string, key: string): string {
  return conflicts.ofKey(kindId, key)?.reason === 'invalid' ? 'other_source' : 'as_received';
}
