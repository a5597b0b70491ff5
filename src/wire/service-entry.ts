import type { ResourcePool } from '../model/resource.ts';
import { type Field, fieldsOf } from './fields.ts';
import { resourceRange } from './resource-frame.ts';
import { newResourceParts, scanResource } from './resource-parts.ts';
import { readVarint } from './scan.ts';

// Tags of istio.networking.v1alpha3.ServiceEntry (istio.io/api at 1.30.3; no field was ever renumbered).
const hostsTag = 0x0a;
const resolutionTag = 0x28;
const endpointsTag = 0x32;
const exportToTag = 0x3a;

/** ServiceEntry.Resolution. */
export const staticResolution = 1;
export const dnsResolution = 2;

/** An encoded ServiceEntry by its parts, which are views of its chunk: good until something else gets its turn. */
export type ServiceEntryView = {
  /** The whole `istio.mcp.v1alpha1.Resource`. */
  readonly resource: Buffer;
  /** Labels and annotations. */
  readonly metadata: Buffer;
  /** {@link staticResolution}, {@link dnsResolution} or another one. */
  readonly resolution: number;
  readonly endpoints: readonly Field[];
  /** Everything of the body but the endpoints, in the order of field numbers. */
  readonly rest: Buffer;
  /** Where in the resource one more endpoint belongs. */
  readonly endpointsEnd: number;
};

/** One object serves for all. */
const parts = newResourceParts();

/** Reads a row that is a ServiceEntry; the intake has seen that its bytes are a message. */
export function viewServiceEntry(pool: ResourcePool, row: number): ServiceEntryView {
  const resource = scan(pool, row);
  const spans = [...parts.labels, ...parts.annotations];
  const metadata = resource.subarray(spans[0] ?? 0, spans.at(-1) ?? 0);
  const endpoints: Field[] = [];
  const rest: Field[] = [];
  let resolution = 0;
  let endpointsEnd = parts.valueStart;
  for (const field of bodyOf(resource)) {
    const { tag, value, end } = field;
    if (tag === endpointsTag) endpoints.push(field);
    else rest.push(field);
    if (tag === resolutionTag) resolution = readVarint(value, 0, value.length);
    // Encoders write fields in the order of their numbers.
    if (tag === endpointsTag || (tag < endpointsTag && endpoints.length === 0)) endpointsEnd = end;
  }
  rest.sort((a, b) => (a.tag >>> 3) - (b.tag >>> 3));
  const restBytes = Buffer.concat(rest.map(({ whole }) => whole));
  return { resource, metadata, resolution, endpoints, rest: restBytes, endpointsEnd };
}

/** The hosts that a row names, which is a ServiceEntry, and the namespaces that may see it; none = all. */
export function hostsOf(pool: ResourcePool, row: number): { hosts: readonly string[]; exportTo: readonly string[] } {
  const resource = scan(pool, row);
  const hosts: string[] = [];
  const exportTo: string[] = [];
  for (const { tag, value } of bodyOf(resource)) {
    if (tag === hostsTag) hosts.push(value.toString());
    else if (tag === exportToTag) exportTo.push(value.toString());
  }
  return { hosts, exportTo };
}

/** Finds the parts of a row; returns its Resource, in which they are. */
function scan(pool: ResourcePool, row: number): Buffer {
  const resource = pool.chunk(row).subarray(...resourceRange(pool, row));
  scanResource(resource, 0, resource.length, parts);
  return resource;
}

/** The fields of the body that was scanned. */
function bodyOf(resource: Buffer): Iterable<Field> {
  const { valueStart, valueEnd } = parts;
  return valueStart < 0 ? [] : fieldsOf(resource, valueStart, valueEnd);
}
