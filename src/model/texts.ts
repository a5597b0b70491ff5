const grouped = new Intl.NumberFormat('en-US');

/** `12,345`. */
export function numberText(value: number): string {
  return grouped.format(value);
}

/** `1 resource`, `12,345 resources`. */
export function countOf(count: number, noun: string): string {
  return `${numberText(count)} ${noun}${count === 1 ? '' : 's'}`;
}

/** `812 B`, `3.4 KiB`, `20.6 MiB`. */
export function sizeText(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`;
  const units = ['KiB', 'MiB', 'GiB'];
  let value = bytes / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}

/** The beginning of a text, as a text of its own: a slice would keep all of it in memory. */
export function shortened(text: string, maxLength: number): string {
  return text.length <= maxLength ? text : Buffer.from(text.slice(0, maxLength)).toString();
}

/** What stands where a secret was. */
export const removed = '[removed]';

/** An address as somebody wrote it, to be quoted back to them: without the user and the password that they may have put before an `@`. */
export function withoutCredentials(address: string): string {
  return address.replace(/^([a-z][a-z0-9+.-]*:\/\/)?.*@/is, `$1${removed}@`);
}
