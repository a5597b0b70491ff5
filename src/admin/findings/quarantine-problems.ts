import { countOf } from '../../model/texts.ts';

export type QuarantineCounts = {
  /** Of which something else is sent, or nothing. */
  readonly held: number;
  /** Sent as they came, although they break a rule. */
  readonly invalid: number;
};

/** What is quarantined, or sent although it is not valid: a sentence for each of both. */
export function quarantineProblems({ held, invalid }: QuarantineCounts): string[] {
  return [
    ...(held === 0 ? [] : [`${countOf(held, 'resource')} ${held === 1 ? 'is' : 'are'} quarantined`]),
    ...(invalid === 0
      ? []
      : [
          `${countOf(invalid, 'resource')} ${invalid === 1 ? 'breaks' : 'break'} a rule of Istio, and no better form is known`,
        ]),
  ];
}

const sentTexts: Readonly<Record<string, string>> = {
  last_good: 'its last good form',
  nothing: 'nothing',
  as_received: 'as it came',
  other_source: 'the form of another source',
};

/** What is sent in the place of a resource, for people; see QuarantineView.sent. */
export function sentText(sent: string): string {
  return sentTexts[sent] ?? sent;
}
