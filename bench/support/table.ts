import Table from 'cli-table3';

const number = new Intl.NumberFormat('en-US');

/** A table as text. Columns whose name begins with a minus are set flush right. */
export function table(columns: readonly string[], rows: readonly (readonly string[])[]): string {
  const made = new Table({
    head: columns.map((column) => column.replace(/^-/, '')),
    colAligns: columns.map((column) => (column.startsWith('-') ? 'right' : 'left')),
    style: { head: [], border: [], 'padding-left': 1, 'padding-right': 1, compact: true },
  });
  made.push(...rows.map((row) => [...row]));
  return made.toString();
}

export const count = (value: number): string => number.format(value);

/** Three digits, or all before the point. */
export function show(value: number): string {
  if (value < 1) return value.toFixed(3);
  return value < 10 ? value.toFixed(1) : number.format(Math.round(value));
}
