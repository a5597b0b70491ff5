import { onTestFinished } from 'vitest';
import type { OriginView } from '../../../src/admin/views.ts';
import type { ConfigInput } from '../../../src/config/schema.ts';
import { bodyFromJson } from '../../../src/schema/json.ts';
import { bodies } from '../../../src/wire/root.ts';
import { Bridge } from '../bridge.ts';
import { requireKind, serviceEntry as serviceEntryKind } from '../resources.ts';
import { until } from '../until.ts';
import { type Seen, WatchingIstiod } from '../watching-istiod.ts';
import { type Response, versionsOf, XdsPeer } from '../xds-peer.ts';
import type { Item } from './choosy.ts';

/** How a source is configured, beyond its name and address. */
export type Habits = Omit<NonNullable<ConfigInput['sources']>[number], 'name' | 'address'>;

/** A whole bridge with one source, which it has dialled already, or not yet. */
export function bridgeTo(
  server: { at(more: object): NonNullable<ConfigInput['sources']>[number] },
  habits: Habits,
  more: ConfigInput = {},
) {
  return Bridge.of({ sources: [server.at(habits)], xds: { listen: '127.0.0.1:0', minGap: '1ms' }, ...more });
}

/** The same, and an istiod that watches ServiceEntries. */
export async function watched(...given: Parameters<typeof bridgeTo>) {
  const bridge = await bridgeTo(...given);
  return { bridge, istiod: WatchingIstiod.connect(bridge.ports.xds) };
}

/** What the pages say of the one source. */
export async function originOf(bridge: Bridge): Promise<OriginView> {
  const [origin] = await bridge.page<OriginView[]>('/debug/origins');
  if (origin === undefined) throw new Error('the bridge has no source');
  return origin;
}

/** What the pages say of one kind of it. */
export async function kindOf(bridge: Bridge, kind = 'ServiceEntry') {
  const { kinds } = await originOf(bridge);
  const found = kinds.find((one) => one.kind === kind);
  if (found === undefined) throw new Error(`the source has no ${kind}`);
  return found;
}

/** Returns once the bridge has taken so many messages of the kind. */
export async function taken(bridge: Bridge, messages: number, kind = 'ServiceEntry'): Promise<void> {
  await until(`${messages} messages of ${kind}`, async () => (await kindOf(bridge, kind)).messages >= messages);
}

type Entry = {
  readonly hosts: readonly string[];
  readonly ports: readonly { readonly number: number }[];
  readonly endpoints: readonly {
    readonly address: string;
    readonly ports: Readonly<Record<string, number>>;
    readonly labels: Readonly<Record<string, string>>;
  }[];
};

/** A ServiceEntry that an istiod has. @throws where it has none of this name. */
export function entryOf({ resources }: WatchingIstiod, name: string): Entry {
  const seen: Seen | undefined = resources.get(name);
  if (seen === undefined) throw new Error(`istiod has no ${name}`);
  const type = bodies().lookupType(serviceEntryKind.body);
  return type.toObject(type.decode(seen.body.value), { defaults: true }) as Entry;
}

/** Returns once istiod has these addresses of a service. */
export async function hasAddresses(istiod: WatchingIstiod, name: string, ...wanted: readonly string[]): Promise<void> {
  await until(`${name} is at ${wanted.join()}`, () => {
    const { endpoints } = entryOf(istiod, name);
    return endpoints.map(({ address }) => address).join() === wanted.join();
  });
}

/** An istiod that asks for several kinds, and acknowledges what comes. */
export class Istiod {
  readonly peer: XdsPeer;

  constructor(bridge: Bridge, ...kinds: readonly string[]) {
    this.peer = XdsPeer.connect(bridge.ports.xds);
    this.peer.onResponse = (response) => this.peer.ack(response);
    this.peer.subscribe(...kinds.map(typeOf));
    onTestFinished(() => this.peer.cancel());
  }

  /** The last response of a kind. */
  last(kind: string): Response | undefined {
    return this.peer.responses.findLast(({ typeUrl }) => typeUrl === typeOf(kind));
  }

  /** What it has of a kind; undefined before the first response. */
  names(kind: string): string[] | undefined {
    const last = this.last(kind);
    return last && Object.keys(versionsOf(last)).toSorted();
  }

  /** Returns once it has exactly these of a kind, with the response that brought the last of them. */
  has(kind: string, ...names: readonly string[]): Promise<Response> {
    return until(`istiod has ${names.join() || 'no'} ${kind}`, () => {
      return this.names(kind)?.join() === [...names].toSorted().join() && this.last(kind);
    });
  }
}

function typeOf(kind: string): string {
  const { group, versions } = requireKind(kind);
  return `${group}/${versions.at(-1)}/${kind}`;
}

/** A resource of one's own: kind, name and spec. */
export function item(kind: string, name: string, spec: object): Item {
  const one = requireKind(kind);
  const { body } = bodyFromJson(one, spec);
  if (body === undefined || one.collection === undefined) throw new Error(`no ${kind}`);
  return { collection: one.collection, kind, name, body };
}
