import { countOf } from '../model/texts.ts';
import type { Difference, FieldChange } from './diff-compare.ts';
import type { Unreadable } from './diff-sides.ts';
import { colorsOf, oneLine } from './terminal.ts';

/** Longest value that a table shows whole. */
const maxValue = 160;

/** Of longer ones that are equal up to some place: how much is shown before it. */
const before = 40;

/** What one of the two is, and how much it has. */
type SideReport = {
  readonly address: string;
  readonly resources: number;
  /** Resources that can't be compared. */
  readonly unreadable: readonly Unreadable[];
};

export type DiffReport = {
  readonly a: SideReport;
  readonly b: SideReport;
  readonly equal: number;
  readonly differences: readonly Difference[];
  /** Kinds that one of the two can't say anything of. */
  readonly notCompared: readonly string[];
};

/** True where all that was compared is equal, and all could be. */
export function isEqual({ differences, a, b }: DiffReport): boolean {
  return differences.length + a.unreadable.length + b.unreadable.length === 0;
}

/** For programs. */
export async function exportDiff(report: DiffReport, output: 'json' | 'yaml'): Promise<string> {
  const whole = { isEqual: isEqual(report), ...report };
  if (output === 'json') return JSON.stringify(whole, undefined, 2);
  return (await import('yaml')).stringify(whole, { lineWidth: 0 }).trimEnd();
}

/** For people: `-` only in A, `+` only in B, `~` different, each value that differs below it. */
export function renderDiff(report: DiffReport): string {
  const { a, b, equal, differences } = report;
  const { red, bold } = colorsOf(process.stdout);
  const lines = differences.flatMap(renderDifference);
  for (const [name, { unreadable }] of [['A', a] as const, ['B', b] as const]) {
    for (const one of unreadable) {
      lines.push(red(oneLine(`! ${one.kind} ${one.name} of ${name} can't be compared: ${one.why}`)));
    }
  }
  if (lines.length > 0) lines.push('');
  const only = (side: Difference['in']) => differences.filter((one) => one.in === side).length;
  const counts = [
    [equal, 'equal'],
    [only('both'), 'different'],
    [only('A'), 'only in A'],
    [only('B'), 'only in B'],
    [a.unreadable.length + b.unreadable.length, 'not comparable'],
  ] as const;
  lines.push(oneLine(`A  ${a.address}: ${countOf(a.resources, 'resource')}`));
  lines.push(oneLine(`B  ${b.address}: ${countOf(b.resources, 'resource')}`));
  const summary = counts.filter(([count], index) => index === 0 || count > 0);
  const isEmpty = a.resources + b.resources === 0;
  const remark = isEmpty && isEqual(report) ? ': neither has anything of what was asked for' : '';
  lines.push(bold(summary.map(([count, what]) => `${count} ${what}`).join(', ') + remark));
  return lines.join('\n');
}

function renderDifference({ kind, name, in: side, differs, versions, fields }: Difference): string[] {
  const { red, green, yellow } = colorsOf(process.stdout);
  const paint = { A: red, B: green, both: yellow }[side];
  const sign = { A: '-', B: '+', both: '~' }[side];
  const where = side === 'both' ? differs.join(', ') : `only in ${side}`;
  const isVersioned = side === 'both' && versions.a !== undefined && versions.b !== undefined;
  const version = isVersioned && versions.a !== versions.b ? `  version ${versions.a} → ${versions.b}` : '';
  const head = paint(oneLine(`${sign} ${kind} ${name}  ${where}${version}`));
  return [head, ...fields.filter(({ path }) => path !== 'version').map(renderField)];
}

/** One value that differs, on one line: `-` A alone has it, `+` B alone, `~` both. */
export function renderField(change: FieldChange): string {
  const { path, a, b } = change;
  const { red, green } = colorsOf(process.stdout);
  if (!('b' in change)) return red(oneLine(`    - ${path}: ${valueText(a)}`));
  if (!('a' in change)) return green(oneLine(`    + ${path}: ${valueText(b)}`));
  const from = excerptStart(a, b);
  return oneLine(`    ~ ${path}: ${valueText(a, from)} → ${valueText(b, from)}`);
}

/** Where an excerpt of two values begins, so that it holds the first place where they differ. */
function excerptStart(a: unknown, b: unknown): number {
  const [one = '', other = ''] = [a, b].map((value) => JSON.stringify(value));
  let same = 0;
  while (same < Math.min(one.length, other.length) && one[same] === other[same]) same++;
  return same < maxValue ? 0 : same - before;
}

/** A value on one line, of a long one an excerpt that begins at `from`; a remark in brackets stands as it is. */
function valueText(value: unknown, from = 0): string {
  if (typeof value === 'string' && /^\(.*\)$/.test(value)) return value;
  const text = JSON.stringify(value) ?? 'nothing';
  if (text.length <= maxValue) return text;
  const end = from + maxValue;
  return `${from > 0 ? '…' : ''}${text.slice(from, end)}${end < text.length ? '…' : ''} (${text.length} characters)`;
}
