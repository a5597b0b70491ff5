import { stringify } from 'yaml';
import { readRules } from '../alert-rules.ts';

/** By how much a story is quicker than life. */
export type Pace = {
  /** Divides how long something has to last before an alert fires, and how far back it looks. */
  readonly waits: number;
  /** Divides the windows of rates: they need several scrapes. */
  readonly windows: number;
  /** How much longer an istiod hangs than until somebody is told, in milliseconds. */
  readonly hangsMs: number;
};

/** Borders of seconds that a story could not wait for: what stands in the rules, and what is there instead. */
const borders: Readonly<Record<string, readonly [string, string]>> = {
  IsthmusIstiodNotAcknowledging: ['> 60', '> 12'],
  IsthmusPropagationSlow: ['> 10', '> 3'],
};

const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000 };

const quick = (amount: string, unit: string, by: number) =>
  `${Math.round((Number(amount) * (units[unit] ?? 1)) / by)}ms`;

/** The rules of grafana/rules, for a story: the same expressions over shorter times. @throws where a border is not there. */
export function quickRules({ waits, windows }: Pick<Pace, 'waits' | 'windows'>): string {
  const { groups } = readRules();
  const rules = groups.map((group) => ({
    ...group,
    rules: group.rules.map((rule) => {
      const [from, to] = borders[rule.alert ?? ''] ?? ['', ''];
      if (!rule.expr.includes(from)) throw new Error(`${rule.alert} has no ${from}`);
      const expr = rule.expr
        .replace(from, to)
        .replaceAll(/\[(\d+)([mh])\]/g, (_, amount: string, unit: string) => `[${quick(amount, unit, windows)}]`)
        .replaceAll(/offset (\d+)([mh])/g, (_, amount: string, unit: string) => `offset ${quick(amount, unit, waits)}`);
      const lasts = rule.for?.replace(/^(\d+)([mh])$/, (_, amount: string, unit: string) => quick(amount, unit, waits));
      return { ...rule, expr, ...(lasts === undefined ? {} : { for: lasts }) };
    }),
  }));
  return stringify({ groups: rules });
}
