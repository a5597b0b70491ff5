import { isUtf8 } from 'node:buffer';

/** A 64-bit integer in the form that protobufjs encodes without loss. */
type Long = { readonly low: number; readonly high: number; readonly unsigned: boolean };

/** What protobufjs encodes for a scalar field. */
export type Scalar = string | number | boolean | Uint8Array | Long;

/** A scalar, or what would have been right. */
export type ParsedScalar = { readonly scalar: Scalar } | { readonly expected: string; readonly hint: string };

const bitsOf: Readonly<Record<string, { readonly bits: 32 | 64; readonly signed: boolean }>> = {
  int32: { bits: 32, signed: true },
  sint32: { bits: 32, signed: true },
  sfixed32: { bits: 32, signed: true },
  uint32: { bits: 32, signed: false },
  fixed32: { bits: 32, signed: false },
  int64: { bits: 64, signed: true },
  sint64: { bits: 64, signed: true },
  sfixed64: { bits: 64, signed: true },
  uint64: { bits: 64, signed: false },
  fixed64: { bits: 64, signed: false },
};

/** Reads a JSON value as a scalar of the proto type `type`, as the proto3 JSON mapping says. */
export function parseScalar(type: string, json: unknown): ParsedScalar {
  if (type === 'string') return parseText(json);
  if (type === 'bool') {
    if (typeof json === 'boolean') return { scalar: json };
    return { expected: 'true or false', hint: 'write true or false without quotes' };
  }
  if (type === 'bytes') return parseBytes(json);
  return type in bitsOf ? parseInteger(type, json) : parseFloatingPoint(type, json);
}

function parseText(json: unknown): ParsedScalar {
  if (typeof json === 'string') {
    // Go refuses a whole message for one string that is no UTF-8.
    if (!/\p{Surrogate}/u.test(json)) return { scalar: json };
    return { expected: 'valid Unicode', hint: 'remove the half of a surrogate pair' };
  }
  const plain = typeof json === 'number' || typeof json === 'boolean';
  return { expected: 'text', hint: plain ? `put it in quotes: "${String(json)}"` : 'write one text value' };
}

function parseBytes(json: unknown): ParsedScalar {
  if (typeof json === 'string' && /^[\w+/-]*={0,2}$/.test(json) && json.replaceAll('=', '').length % 4 !== 1) {
    return { scalar: Buffer.from(json, 'base64') };
  }
  return { expected: 'bytes in base64', hint: 'encode the value with base64' };
}

function parseInteger(type: string, json: unknown): ParsedScalar {
  const { bits, signed } = bitsOf[type] as { bits: 32 | 64; signed: boolean };
  const min = signed ? -(1n << BigInt(bits - 1)) : 0n;
  const max = (1n << BigInt(signed ? bits - 1 : bits)) - 1n;
  const wrong = { expected: 'a whole number', hint: `write a whole number from ${min} to ${max}` };
  let value: bigint;
  if (typeof json === 'number' && Number.isInteger(json)) {
    if (bits === 64 && !Number.isSafeInteger(json))
      return { ...wrong, hint: 'put it in quotes: it is too large for JSON' };
    value = BigInt(json);
  } else if (typeof json === 'string' && /^-?\d{1,20}$/.test(json)) {
    value = BigInt(json);
  } else return wrong;
  if (value < min || value > max) return wrong;
  return { scalar: bits === 32 ? Number(value) : toLong(value, !signed) };
}

function parseFloatingPoint(type: string, json: unknown): ParsedScalar {
  const special = json === 'NaN' || json === 'Infinity' || json === '-Infinity';
  const numeric = typeof json === 'string' && /^-?\d+(\.\d+)?([eE][-+]?\d+)?$/.test(json);
  if (typeof json === 'number' || special || numeric) {
    const value = Number(json);
    const fits = type !== 'float' || !Number.isFinite(value) || Number.isFinite(Math.fround(value));
    if (fits && (special || !numeric || Number.isFinite(value))) return { scalar: value };
  }
  return { expected: 'a number', hint: 'write a number such as 0.5' };
}

/** A 64-bit integer as protobufjs takes it. */
export function toLong(value: bigint, unsigned = false): Long {
  return { low: Number(BigInt.asIntN(32, value)), high: Number(BigInt.asIntN(32, value >> 32n)), unsigned };
}

/** True for the value that proto3 does not write: 0, false, or nothing. */
export function isDefault(scalar: Scalar): boolean {
  if (typeof scalar !== 'object') return scalar === 0 ? !Object.is(scalar, -0) : scalar === false || scalar === '';
  return scalar instanceof Uint8Array ? scalar.length === 0 : scalar.low === 0 && scalar.high === 0;
}

/** JSON of the default of a scalar type. */
export function defaultJson(type: string): string | number | boolean {
  if (type === 'string' || type === 'bytes') return '';
  if (type === 'bool') return false;
  return bitsOf[type]?.bits === 64 ? '0' : 0;
}

/** The wire type that carries a scalar of that proto type. */
export function wireTypeOf(type: string): 0 | 1 | 2 | 5 {
  if (type === 'string' || type === 'bytes') return 2;
  if (type === 'double' || type.endsWith('fixed64')) return 1;
  return type === 'float' || type.endsWith('fixed32') ? 5 : 0;
}

/** JSON of the scalar in `bytes`: a complete varint, four or eight bytes, or text; undefined for text that is no UTF-8. */
export function scalarJson(type: string, bytes: Buffer): string | number | boolean | undefined {
  switch (type) {
    case 'string':
      return isUtf8(bytes) ? bytes.toString('utf8') : undefined;
    case 'bytes':
      return bytes.toString('base64');
    case 'bool':
      return bytes.some((byte) => (byte & 0x7f) !== 0);
    case 'double':
      return numberJson(bytes.readDoubleLE());
    case 'float':
      return numberJson(shortest(bytes.readFloatLE()));
    default:
      return integerJson(type, bytes);
  }
}

function integerJson(type: string, bytes: Buffer): string | number {
  const { bits, signed } = bitsOf[type] as { bits: 32 | 64; signed: boolean };
  // Most numbers are small, and those of plain types then are what stands there.
  if (bytes.length <= 4 && (type === 'uint32' || type === 'int32')) return smallVarint(bytes);
  let value: bigint;
  if (type.endsWith('fixed32')) value = BigInt(bytes.readUInt32LE());
  else if (type.endsWith('fixed64')) value = bytes.readBigUInt64LE();
  else value = varint(bytes);
  if (type.startsWith('sint')) value = (value >> 1n) ^ -(value & 1n);
  value = signed ? BigInt.asIntN(bits, value) : BigInt.asUintN(bits, value);
  return bits === 32 ? Number(value) : String(value);
}

/** Value of a complete varint of four bytes at most. */
function smallVarint(bytes: Uint8Array): number {
  let value = 0;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 7) | ((bytes[i] as number) & 0x7f);
  return value;
}

/** Value of a complete varint, 64 bits. */
export function varint(bytes: Uint8Array): bigint {
  let value = 0n;
  for (let i = bytes.length - 1; i >= 0; i--) value = (value << 7n) | BigInt((bytes[i] as number) & 0x7f);
  return BigInt.asUintN(64, value);
}

/** The shortest decimal that is the same 32-bit float, which is what Go prints. */
function shortest(float: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(float.toPrecision(digits));
    if (Math.fround(short) === float) return short;
  }
  return float;
}

/** JSON has no words for what is not finite. */
function numberJson(value: number): number | string {
  return Number.isFinite(value) ? value : String(value);
}
