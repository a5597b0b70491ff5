import type { EffectCause, EffectCounts } from '../model/effects.ts';
import { countOf, numberText } from '../model/texts.ts';
import type { ChangeView } from './views.ts';

const causes: Readonly<Record<EffectCause, string>> = {
  message: 'its source said so',
  released_by_operator: 'the operator let go what the guard held',
  confirmed_by_source: 'its source has confirmed what the guard held',
  source_removed: 'the source is in the config no more, and that was confirmed',
  precedence: 'sources came, left, or have another order',
  verdict: 'a form that breaks a rule of Istio gave way',
  restart: 'an earlier process knew it: read from the state folder',
};

/** Why something changed, in words. */
export function whyText({ why, sentFrom, note }: ChangeView): string {
  if (note !== null) return note;
  const winner = sentFrom === null ? '' : `; the form of ${sentFrom} is sent now`;
  return `${causes[why as EffectCause] ?? why}${winner}`;
}

/** `9,980 more changed`, of those that are not named. */
export function countsText({ added, changed, removed, quarantined }: EffectCounts, why: string): string {
  if (why === 'restart') return countOf(added + changed, 'resource');
  const parts = Object.entries({ added, changed, removed, quarantined }).filter(([, number]) => number > 0);
  return parts.map(([what, number]) => `${numberText(number)} more ${what}`).join(', ');
}
