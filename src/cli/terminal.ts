import Table from 'cli-table3';
import pc from 'picocolors';
import { IsthmusError, messageOf } from '../model/errors.ts';

/** Data goes to standard output, with a line break behind it. */
export function print(text: string): void {
  process.stdout.write(`${text}\n`);
}

/** Progress and remarks go to standard error. */
export function say(text: string): void {
  process.stderr.write(`${text}\n`);
}

/** One line, and one more with what to do. */
export function sayError(error: unknown): void {
  say(`${pc.red('isthmus:')} ${messageOf(error)}`);
  if (error instanceof IsthmusError && error.hint !== undefined) say(`  ${error.hint}`);
}

const noBorders = {
  top: '',
  'top-mid': '',
  'top-left': '',
  'top-right': '',
  bottom: '',
  'bottom-mid': '',
  'bottom-left': '',
  'bottom-right': '',
  left: '',
  'left-mid': '',
  mid: '',
  'mid-mid': '',
  right: '',
  'right-mid': '',
  middle: '  ',
};

/** A table without lines, as kubectl prints them. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const style = { 'padding-left': 0, 'padding-right': 0, head: [], border: [], compact: true };
  const grid = new Table({ head: head.map((text) => pc.bold(text)), chars: noBorders, style });
  for (const row of rows) grid.push(row.map((cell) => cell.replaceAll('\n', ' ')));
  return grid
    .toString()
    .split('\n')
    .map((line) => line.trimEnd())
    .join('\n');
}

/** Settles at the first SIGINT or SIGTERM; a second one ends the process at once. */
export function interrupted(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    const onSignal = (signal: NodeJS.Signals) => {
      process.removeListener('SIGINT', onSignal);
      process.removeListener('SIGTERM', onSignal);
      resolve(signal);
    };
    process.once('SIGINT', onSignal);
    process.once('SIGTERM', onSignal);
  });
}
