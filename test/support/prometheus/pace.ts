import { readFileSync } from 'node:fs';
import { stringify } from 'yaml';
import { readRules, rulesFile } from '../alert-rules.ts';

/** By how much a story is quicker than life. */
export type Pace = {
  /** Divides how long something has to last before an alert fires, and how far back it looks. */
  readonly waits: number;
  /** Divides the windows of rates: they need several scrapes. */
  readonly windows: number;
  /** Time between two scrapes, and between two looks at the rules, in milliseconds. */
  readonly everyMs: number;
  /** Time between two changes of a source that always has some, in milliseconds. */
  readonly tickMs: number;
  /** How long a slow istiod takes to acknowledge, in milliseconds: longer than what an alert is about. */
  readonly slowMs: number;
};

/** As operators have it: the rules as they are shipped. */
export const asInLife: Pace = { waits: 1, windows: 1, everyMs: 5000, tickMs: 10_000, slowMs: 12_000 };

/** All within a minute. */
export const quick: Pace = { waits: 120, windows: 50, everyMs: 500, tickMs: 500, slowMs: 4000 };

/** Borders of seconds that a quick story could not wait for: what stands in the rules, and what is there instead. */
const borders: Readonly<Record<string, readonly [string, string]>> = {
  IsthmusIstiodNotAcknowledging: ['> 60', '> 8'],
  IsthmusPropagationSlow: ['> 10', '> 2.5'],
};

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000 };

const divided = (amount: string, unit: string, by: number) =>
  `${Math.round((Number(amount) * (units[unit] ?? 1)) / by)}ms`;

/**
 * The rules of grafana/rules: as they are, or for a quick story the same expressions over shorter times.
 * @throws where a border is not there.
 */
export function rulesAt({ waits, windows }: Pace): string {
  if (waits === 1 && windows === 1) return readFileSync(rulesFile, 'utf8');
  const groups = readRules().groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => {
      const [from, to] = borders[rule.alert ?? ''] ?? ['', ''];
      if (!rule.expr.includes(from)) throw new Error(`${rule.alert} has no ${from}`);
      const expr = rule.expr
        .replace(from, to)
        .replaceAll(/\[(\d+)([mh])\]/g, (_, amount: string, unit: string) => `[${divided(amount, unit, windows)}]`)
        .replaceAll(
          /offset (\d+)([mh])/g,
          (_, amount: string, unit: string) => `offset ${divided(amount, unit, waits)}`,
        );
      const lasts = rule.for?.replace(/^(\d+)([mh])$/, (_, amount: string, unit: string) =>
        divided(amount, unit, waits),
      );
      return { ...rule, expr, ...(lasts === undefined ? {} : { for: lasts }) };
    }),
  }));
  return stringify({ groups });
}
