import Table from 'cli-table3';
import type { describeMachine, Result } from './results.ts';

/** The size and the change for which Isthmus has to be at most `limit` times the protobufjs bridge. */
export const goal = { size: 100_000, change: 'all', limit: 0.5 } as const;

const number = new Intl.NumberFormat('en-US');
const columns = ['timeMs', 'cpuMs', 'peakRssMiB'] as const;

/** What the table leaves unsaid. */
export const note = [
  "Time: from the start of the source's write to the client's last byte. CPU: user and system time of the middle,",
  'until 400 ms after the last byte. Peak RSS: of the middle, from its start. Medians; × is against protobufjs.',
  'Isthmus runs with --debounce-after=0ms; with the default, 50 ms are added to its time and nothing to its CPU time.',
].join('\n');

export function machineLine(machine: ReturnType<typeof describeMachine>): string {
  const { cpu, cores, platform, node, date, commit } = machine;
  return `${cpu}, ${cores} cores, ${platform}, Node ${node}, ${date}${commit === undefined ? '' : `, ${commit}`}`;
}

/** The results as a table, one line per middle. */
export function render(results: readonly Result[]): string {
  const style = { head: [], border: [], 'padding-left': 1, 'padding-right': 1, compact: true };
  const table = new Table({
    head: ['resources', 'changed', 'middle', 'time ms', '×', 'CPU ms', '×', 'peak RSS MiB', '×'],
    colAligns: ['right', 'left', 'left', 'right', 'right', 'right', 'right', 'right', 'right'],
    style,
  });
  for (const result of results) {
    const base = baseOf(results, result);
    const cells = columns.flatMap((column) => [
      show(result[column].median),
      base === undefined ? '' : ratio(result, base, column).toFixed(2),
    ]);
    table.push([number.format(result.size), result.change, result.middle, ...cells]);
  }
  return table.toString();
}

/**
 * Compares with {@link goal}: one line per measure that missed it.
 * @throws where the results lack what is compared.
 */
export function missed(results: readonly Result[]): string[] {
  const { size, change, limit } = goal;
  const isthmus = results.find((r) => r.middle === 'isthmus' && r.size === size && r.change === change);
  const base = isthmus && baseOf(results, isthmus);
  if (base === undefined) throw new Error(`there are no results of isthmus and protobufjs at ${number.format(size)}`);
  return (['timeMs', 'cpuMs'] as const).flatMap((column) => {
    const value = ratio(isthmus as Result, base, column);
    const what = column === 'timeMs' ? 'time' : 'CPU time';
    return value <= limit ? [] : [`${what} is ${value.toFixed(2)} × protobufjs, more than ${limit}`];
  });
}

function baseOf(results: readonly Result[], of: Result): Result | undefined {
  return results.find((r) => r.middle === 'protobufjs' && r.size === of.size && r.change === of.change);
}

function ratio(result: Result, base: Result, column: (typeof columns)[number]): number {
  return result[column].median / base[column].median;
}

function show(value: number): string {
  return value < 10 ? value.toFixed(1) : number.format(Math.round(value));
}
