const unitMs: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };
const unitBytes: Readonly<Record<string, number>> = { '': 1, KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 };

/** Milliseconds of `250ms`, `30s`, `1.5m`, `10m`, `1h30m`; undefined for other text. */
export function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|s|m|h))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, value, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|s|m|h)/g)) {
    total += Number(value) * (unitMs[unit as string] as number);
  }
  return total;
}

/** Bytes of `1048576`, `512KiB`, `256MiB`, `1GiB`; undefined for other text. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)(KiB|MiB|GiB|)$/.exec(text);
  return match === null ? undefined : Number(match[1]) * (unitBytes[match[2] as string] as number);
}
