import type { HoldView, OriginView } from '../views.ts';

/** How a hold goes on, in the words behind `the source`. */
export function nextOfHold({ state, until }: Pick<HoldView, 'state' | 'until'>): string {
  if (state === 'asked') return `was asked again at ${until}, and has not answered`;
  if (state === 'answered') return 'has said the same again, and is believed within 30 s';
  return `is asked again at ${until}`;
}

/** What the guard holds, of all sources. */
export function holdsOf(origins: readonly OriginView[]): HoldView[] {
  return origins.flatMap(({ name, kinds }) =>
    kinds.flatMap(({ kind, collection, hold }) => (hold ? [{ origin: name, kind, collection, ...hold }] : [])),
  );
}
