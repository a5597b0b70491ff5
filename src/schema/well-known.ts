/** Whole seconds since 1970 and nanoseconds on top; nanos have the sign of seconds in a Duration, none in a Timestamp. */
export type Seconds = { readonly seconds: bigint; readonly nanos: number };

/** Years 1 to 9999 (google/protobuf/timestamp.proto). */
const minTimestamp = -62_135_596_800n;
const maxTimestamp = 253_402_300_799n;
/** 10,000 years (google/protobuf/duration.proto). */
const maxDuration = 315_576_000_000n;
const nanosPerSecond = 1_000_000_000n;

const rfc3339 = /^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,9}))?(Z|[+-]\d\d:\d\d)$/;

/** Reads an RFC 3339 time, such as `2026-01-31T12:00:00Z`; undefined for other text and years outside 1 to 9999. */
export function parseTimestamp(text: string): Seconds | undefined {
  const [, local, fraction = '', zone] = rfc3339.exec(text) ?? [];
  if (local === undefined || zone === undefined) return undefined;
  const asUtc = Date.parse(`${local}Z`);
  // Date rolls 30 February over to March.
  if (Number.isNaN(asUtc) || !new Date(asUtc).toISOString().startsWith(local)) return undefined;
  const ms = Date.parse(`${local}${zone}`);
  if (Number.isNaN(ms)) return undefined;
  const seconds = BigInt(ms / 1000);
  if (seconds < minTimestamp || seconds > maxTimestamp) return undefined;
  return { seconds, nanos: Number(fraction.padEnd(9, '0')) };
}

/** The RFC 3339 form in UTC with 0, 3, 6 or 9 digits of a second; undefined outside of years 1 to 9999. */
export function timestampText({ seconds, nanos }: Seconds): string | undefined {
  if (seconds < minTimestamp || seconds > maxTimestamp || nanos < 0 || nanos >= 1e9) return undefined;
  return `${new Date(Number(seconds) * 1000).toISOString().slice(0, 19)}${fractionText(nanos)}Z`;
}

const durationUnits: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1000n,
  '\u00b5s': 1000n,
  '\u03bcs': 1000n,
  ms: 1_000_000n,
  s: nanosPerSecond,
  m: 60n * nanosPerSecond,
  h: 3600n * nanosPerSecond,
};

/**
 * Reads a duration: the proto3 form `1.5s`, and what Go's time.ParseDuration takes (`1m30s`, `250ms`), because
 * Istio reads its YAML with golang/protobuf's jsonpb, which calls that. Undefined for other text.
 */
export function parseDuration(text: string): Seconds | undefined {
  const [, sign, body = ''] = /^([-+]?)((?:\d+(?:\.\d{1,9})?(?:ns|[u\u00b5\u03bc]s|ms|s|m|h))+)$/.exec(text) ?? [];
  if (sign === undefined || body.length > 64) return undefined;
  let nanos = 0n;
  for (const [, whole = '', fraction = '', unit = ''] of body.matchAll(/(\d+)(?:\.(\d+))?([a-z\u00b5\u03bc]+)/g)) {
    const size = durationUnits[unit] as bigint;
    nanos += BigInt(whole) * size + (BigInt(fraction.padEnd(9, '0')) * size) / nanosPerSecond;
  }
  const seconds = nanos / nanosPerSecond;
  if (seconds > maxDuration) return undefined;
  const factor = sign === '-' ? -1n : 1n;
  return { seconds: seconds * factor, nanos: Number((nanos % nanosPerSecond) * factor) };
}

/** The proto3 form, such as `1.500s`; undefined where seconds and nanos are out of range or differ in sign. */
export function durationText({ seconds, nanos }: Seconds): string | undefined {
  const negative = seconds < 0n || nanos < 0;
  if ((negative && (seconds > 0n || nanos > 0)) || Math.abs(nanos) >= 1e9) return undefined;
  const whole = negative ? -seconds : seconds;
  return whole > maxDuration ? undefined : `${negative ? '-' : ''}${whole}${fractionText(Math.abs(nanos))}s`;
}

function fractionText(nanos: number): string {
  if (nanos === 0) return '';
  const digits = String(nanos).padStart(9, '0');
  if (digits.endsWith('000000')) return `.${digits.slice(0, 3)}`;
  return digits.endsWith('000') ? `.${digits.slice(0, 6)}` : `.${digits}`;
}

const wrappers = ['Double', 'Float', 'Int64', 'UInt64', 'Int32', 'UInt32', 'Bool', 'String', 'Bytes'];

/** Full names of the messages whose JSON is the JSON of their one field, and the JSON name of that field. */
export const transparent: ReadonlyMap<string, string> = new Map([
  ...wrappers.map((name) => [`google.protobuf.${name}Value`, 'value'] as const),
  ['google.protobuf.Struct', 'fields'],
  ['google.protobuf.ListValue', 'values'],
]);

/** The member of google.protobuf.Value that holds a JSON value. */
export function memberOfValue(json: unknown): string {
  if (json === null) return 'nullValue';
  if (Array.isArray(json)) return 'listValue';
  switch (typeof json) {
    case 'boolean':
      return 'boolValue';
    case 'number':
      return 'numberValue';
    case 'string':
      return 'stringValue';
    default:
      return 'structValue';
  }
}
