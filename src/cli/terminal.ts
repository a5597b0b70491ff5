import pc from 'picocolors';
import { IsthmusError, messageOf } from '../model/errors.ts';

const { NO_COLOR = '', TERM } = process.env;
/** Colours of one output: it is a terminal, and nobody said no. */
export const colorsOf = ({ isTTY }: { isTTY?: boolean }) =>
  pc.createColors(isTTY === true && NO_COLOR === '' && TERM !== 'dumb');

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
  say(`${colorsOf(process.stderr).red('isthmus:')} ${messageOf(error)}`);
  if (error instanceof IsthmusError && error.hint !== undefined) say(`  ${error.hint}`);
}

/** A table without lines, as kubectl prints them. Takes many thousands of rows. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const cells = [head, ...rows].map((row) => row.map(oneLine));
  const widths = head.map((_, column) => cells.reduce((most, row) => Math.max(most, row[column]?.length ?? 0), 0));
  const [first = '', ...lines] = cells.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
  return [colorsOf(process.stdout).bold(first), ...lines].join('\n');
}

/** Text from elsewhere on one line, without what would command a terminal. */
export function oneLine(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, ' ');
}

/** Breaks text at blanks; a word that is longer than `width` stays whole, so that it can be copied. */
export function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = '';
  for (const word of text.split(' ')) {
    if (line !== '' && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else line = line === '' ? word : `${line} ${word}`;
  }
  return [...lines, line];
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
