import * as fc from 'fast-check';

/** A ServiceEntry's spec, as far as tests of several origins need it. */
export type Spec = {
  readonly hosts: readonly string[];
  readonly ports?: readonly object[];
  readonly location?: number;
  readonly resolution?: number;
  readonly endpoints?: readonly Endpoint[];
  readonly exportTo?: readonly string[];
};

type Endpoint = {
  readonly address: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly weight?: number;
};

/** Values of ServiceEntry.Resolution. */
export const resolutions = { none: 0, static: 1, dns: 2, dnsRoundRobin: 3 } as const;

/** A service with these addresses. */
export function serviceAt(...addresses: readonly string[]): Spec {
  return {
    hosts: ['orders.example.com'],
    ports: [{ number: 80, name: 'http', protocol: 'HTTP' }],
    resolution: resolutions.static,
    endpoints: addresses.map((address) => ({ address })),
  };
}

const endpoint: fc.Arbitrary<Endpoint> = fc.record(
  {
    address: fc.constantFrom('10.0.0.1', '10.0.0.2', '10.0.0.3', '10.0.0.4'),
    labels: fc.dictionary(fc.constantFrom('app', 'zone', 'v'), fc.constantFrom('a', 'b'), { maxKeys: 3 }),
    weight: fc.constantFrom(1, 200),
  },
  { requiredKeys: ['address'] },
);

/** Specs that are often alike but for their endpoints, and have fields before and behind those. */
export const spec: fc.Arbitrary<Spec> = fc.record(
  {
    hosts: fc.constantFrom(['a.example.com'], ['a.example.com'], ['a.example.com', 'b.example.com']),
    ports: fc.constantFrom([{ number: 80, name: 'http', protocol: 'HTTP' }]),
    location: fc.constantFrom(1),
    resolution: fc.constantFrom(resolutions.static, resolutions.static, resolutions.dns, resolutions.dnsRoundRobin),
    endpoints: fc.array(endpoint, { maxLength: 4 }),
    exportTo: fc.constantFrom(['*']),
  },
  { requiredKeys: ['hosts', 'resolution'] },
);

/** All endpoints of the first list, and of the others those that did not come before. */
export function distinctEndpoints([first = [], ...others]: readonly (readonly Endpoint[])[]): Endpoint[] {
  const known = new Set(first.map(textOf));
  const added = others.flat().filter((one) => !known.has(textOf(one)) && known.add(textOf(one)));
  return [...first, ...added];
}

function sorted(labels: Readonly<Record<string, string>>): string[] {
  return Object.entries(labels)
    .map((pair) => JSON.stringify(pair))
    .toSorted();
}

function textOf({ address, labels = {}, weight }: Endpoint): string {
  return JSON.stringify([address, weight, sorted(labels)]);
}

/** What one origin has of a key. */
export type Said = { readonly spec: Spec; readonly labels: Readonly<Record<string, string>> };

/** What is to be sent of a key that all of these have, the plain way, and the reason that is told. */
export function fold(all: readonly Said[], isMerging: boolean): { sent: Said; reason: string | undefined } {
  const [first, ...rest] = all as [Said, ...Said[]];
  const others = rest.filter((one) => whole(one) !== whole(first));
  if (others.length === 0) return { sent: first, reason: rest.length === 0 ? undefined : 'equal' };
  if (!isMerging) return { sent: first, reason: 'precedence' };
  const obstacles = others.map((one) => obstacleOf(first, one));
  const united = [first, ...others.filter((_, i) => obstacles[i] === undefined)];
  const endpoints = distinctEndpoints(united.map(({ spec: { endpoints: some = [] } }) => some));
  const reason = obstacles.find((obstacle) => obstacle !== undefined) ?? 'merged';
  return { sent: { ...first, spec: { ...first.spec, endpoints } }, reason };
}

function whole({ spec: one, labels }: Said): string {
  return JSON.stringify([restOf(one), one.endpoints?.map(textOf) ?? [], sorted(labels)]);
}

function restOf({ hosts, ports = [], location = 0, resolution = 0, exportTo = [] }: Spec): string {
  return JSON.stringify([hosts, ports, location, resolution, exportTo]);
}

function obstacleOf(one: Said, other: Said): string | undefined {
  if (restOf(one.spec) !== restOf(other.spec)) return 'other_spec';
  if (whole({ ...one, spec: other.spec }) !== whole(other)) return 'other_metadata';
  if (one.spec.resolution === resolutions.static) return undefined;
  const [mine, theirs] = [one, other].map(({ spec: { endpoints = [] } }) => endpoints.length > 0);
  return one.spec.resolution === resolutions.dns && mine === theirs ? undefined : 'resolution';
}
