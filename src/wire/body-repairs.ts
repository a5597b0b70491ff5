import type { BodyRepair } from '../model/change.ts';
import { isLabelName, isLabelValue } from '../model/labels.ts';
import { type Field, fieldsOf, lengthField, numberField } from './fields.ts';
import { readVarint } from './scan.ts';

// Tags of istio.networking.v1alpha3.ServiceEntry, its ports and its endpoints (istio.io/api at 1.30.3; no field was ever
// renumbered).
const hostsTag = 0x0a;
const portsTag = 0x1a;
const endpointsTag = 0x32;
const portNumberTag = 0x08;
const portProtocolTag = 0x12;
const portNameTag = 0x1a;
const endpointPortsTag = 0x12;
const endpointLabelsTag = 0x1a;
const keyTag = 0x0a;
const textTag = 0x12;
const numberTag = 0x10;

/** Which repairs are on. Each of them changes what a source has said. */
export type RepairOptions = {
  /** Labels of endpoints that Istio would refuse, and the whole ServiceEntry with them, are left out. */
  readonly invalidLabels: boolean;
  /** A colon in a host, as in the names of Dubbo's services, becomes a hyphen. */
  readonly hostColons: boolean;
  /** A host that ends with this text gets a dot before it, where it has none there. Undefined = none does. */
  readonly missingDot?: string | undefined;
  /** A port with the number 0 gets the lowest number that the endpoints have for it. */
  readonly zeroPorts: boolean;
  /** A port gets the number that the endpoints have for it, where all of them have the same. */
  readonly servicePorts: boolean;
};

export function isAnyOn(options: RepairOptions): boolean {
  const { invalidLabels, hostColons, missingDot, zeroPorts, servicePorts } = options;
  return invalidLabels || hostColons || missingDot !== undefined || zeroPorts || servicePorts;
}

/** A body that was written anew, and what was done to it. */
export type Repaired = { readonly body: Buffer; readonly done: ReadonlySet<BodyRepair> };

/**
 * Repairs the body of a ServiceEntry; undefined where there is nothing to repair. Everything that is not repaired is
 * copied as it stands, fields that nobody knows too.
 *
 * @throws MalformedError where the bytes are no message.
 */
export function repairServiceEntry(body: Buffer, options: RepairOptions): Repaired | undefined {
  const done = new Set<BodyRepair>();
  const fields = [...fieldsOf(body)];
  const endpoints = fields.filter(({ tag }) => tag === endpointsTag);
  const repairsPorts = options.zeroPorts || options.servicePorts;
  const ports = repairsPorts ? portsOf(fields, endpoints, options, done) : new Map<Field, Buffer>();
  const parts = fields.map((field) => {
    if (field.tag === hostsTag) return hostOf(field, options, done);
    if (field.tag === portsTag) return ports.get(field) ?? field.whole;
    if (field.tag === endpointsTag && options.invalidLabels) return labelledOf(field, done);
    return field.whole;
  });
  return done.size === 0 ? undefined : { body: Buffer.concat(parts), done };
}

function hostOf({ whole, value }: Field, { hostColons, missingDot }: RepairOptions, done: Set<BodyRepair>): Buffer {
  const before = value.toString();
  let host = before;
  if (hostColons && host.includes(':')) {
    const hyphened = withoutColons(host);
    if (hyphened !== '') {
      host = hyphened;
      done.add('host_colons');
    }
  }
  if (missingDot !== undefined && lacksDot(host, missingDot)) {
    host = `${host.slice(0, -missingDot.length)}.${missingDot}`;
    done.add('missing_dot');
  }
  return host === before ? whole : lengthField(hostsTag, Buffer.from(host));
}

/** Hyphens in the place of colons, but none where a label of a DNS name begins or ends. */
function withoutColons(host: string): string {
  return host
    .replaceAll(/:+/g, '-')
    .split('.')
    .map((label) => label.replaceAll(/^-+|-+$/g, ''))
    .filter((label) => label !== '')
    .join('.');
}

function lacksDot(host: string, suffix: string): boolean {
  return host.length > suffix.length && host.endsWith(suffix) && !host.endsWith(`.${suffix}`);
}

/** An endpoint without the labels that Istio refuses. */
function labelledOf({ whole, value }: Field, done: Set<BodyRepair>): Buffer {
  const fields = [...fieldsOf(value)];
  const kept = fields.filter((field) => field.tag !== endpointLabelsTag || isLabel(field.value));
  if (kept.length === fields.length) return whole;
  done.add('invalid_labels');
  return lengthField(endpointsTag, Buffer.concat(kept.map((field) => field.whole)));
}

function isLabel(entry: Buffer): boolean {
  const { key, value } = textEntry(entry);
  return isLabelName(key) && isLabelValue(value);
}

function textEntry(entry: Buffer): { key: string; value: string } {
  let key = '';
  let value = '';
  for (const field of fieldsOf(entry)) {
    if (field.tag === keyTag) key = field.value.toString();
    else if (field.tag === textTag) value = field.value.toString();
  }
  return { key, value };
}

type Port = { readonly number: number; readonly names: readonly string[] };

/** The port fields that get another number, encoded. */
function portsOf(
  fields: readonly Field[],
  endpoints: readonly Field[],
  options: RepairOptions,
  done: Set<BodyRepair>,
): Map<Field, Buffer> {
  const ports = fields.filter(({ tag }) => tag === portsTag).map((field) => ({ field, port: portOf(field.value) }));
  const numbers = endpoints.map(({ value }) => endpointPorts(value));
  const used = new Set(ports.map(({ port }) => port.number));
  const repaired = new Map<Field, Buffer>();
  for (const { field, port } of ports) {
    const known = numbers.map((of) => numberFor(port, of, ports.length === 1));
    const found = known.filter((number) => number !== undefined);
    const repair = port.number === 0 ? 'zero_ports' : 'service_ports';
    const isOn = port.number === 0 ? options.zeroPorts : options.servicePorts;
    // A port that is not 0 means something: it gives way only to what all endpoints say.
    const isAgreed = found.length === known.length && new Set(found).size === 1;
    if (!isOn || found.length === 0 || (port.number !== 0 && !isAgreed)) continue;
    const number = found.reduce((lowest, one) => Math.min(lowest, one));
    if (used.has(number)) continue;
    used.add(number);
    done.add(repair);
    repaired.set(field, withNumber(field, number));
  }
  return repaired;
}

function portOf(bytes: Buffer): Port {
  let number = 0;
  let protocol = '';
  let name = '';
  for (const { tag, value } of fieldsOf(bytes)) {
    if (tag === portNumberTag) number = readVarint(value, 0, value.length);
    else if (tag === portProtocolTag) protocol = value.toString();
    else if (tag === portNameTag) name = value.toString();
  }
  return { number, names: [name, protocol, protocol.toLowerCase()] };
}

/** Name of a port → number at this endpoint. */
function endpointPorts(endpoint: Buffer): Map<string, number> {
  const ports = new Map<string, number>();
  for (const field of fieldsOf(endpoint)) {
    if (field.tag !== endpointPortsTag) continue;
    let key = '';
    let number = 0;
    for (const { tag, value } of fieldsOf(field.value)) {
      if (tag === keyTag) key = value.toString();
      else if (tag === numberTag) number = readVarint(value, 0, value.length);
    }
    if (number > 0) ports.set(key, number);
  }
  return ports;
}

/** @param isOnly whether the service has no other port: then an only port of the endpoint is this one, whatever its name. */
function numberFor({ names }: Port, endpoint: ReadonlyMap<string, number>, isOnly: boolean): number | undefined {
  for (const name of names) {
    const number = endpoint.get(name);
    if (number !== undefined) return number;
  }
  const [first] = endpoint.values();
  return isOnly && endpoint.size === 1 ? first : undefined;
}

function withNumber({ value }: Field, number: number): Buffer {
  const rest = [...fieldsOf(value)].filter(({ tag }) => tag !== portNumberTag).map(({ whole }) => whole);
  return lengthField(portsTag, Buffer.concat([numberField(portNumberTag, number), ...rest]));
}
