import type { MeshPlace } from '../meshconfig/find.ts';
import { type Address, parseAddress } from './address.ts';
import { listOf, mapOf, textOf } from './json.ts';
import { type KubeObject, type Part, partOf, subPart } from './objects.ts';

/** A mesh config that was found in the inputs. */
export type MeshConfig = Part & {
  /** Such as `ConfigMap istio-system/istio, data.mesh`. */
  readonly subject: string;
  readonly kind: MeshPlace['kind'];
  /** Of a ConfigMap `istio-REVISION`; empty for `istio`, undefined for the rest. */
  readonly revision: string | undefined;
  /** What it stands in. */
  readonly object: KubeObject | undefined;
  readonly sources: readonly ConfigSource[];
};

/** An entry of `configSources`. */
export type ConfigSource = Part & {
  /** Place in the list, from 0. */
  readonly index: number;
  readonly address: Address;
  readonly tls: Tls | undefined;
};

/** The `tlsSettings` of a config source. */
export type Tls = Part & {
  /** As Istio reads it: DISABLE where none is given. */
  readonly mode: string;
};

export function meshConfigOf(file: string, place: MeshPlace, objects: readonly KubeObject[]): MeshConfig {
  const part = partOf(file, place.mesh, place.locate);
  const { object: named } = place;
  const object = objects.find(
    ({ kind, name, namespace }) => kind === named?.kind && name === named.name && namespace === named.namespace,
  );
  const { what: subject, kind, revision } = place;
  return { ...part, subject, kind, revision, object, sources: sourcesOf(part) };
}

/** The name under which a field stands: istiod also reads protobuf's own spelling, `config_sources`. */
export function fieldOf({ json }: Part, name: string): string {
  const snake = name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  return !Object.hasOwn(json, name) && Object.hasOwn(json, snake) ? snake : name;
}

function sourcesOf(part: Part): ConfigSource[] {
  const field = fieldOf(part, 'configSources');
  return listOf(part.json[field]).map((value, index) => {
    const entry = subPart(part, [field, index], value);
    return { ...entry, index, address: parseAddress(textOf(entry.json['address']) ?? ''), tls: tlsOf(entry) };
  });
}

const modes = ['DISABLE', 'SIMPLE', 'MUTUAL', 'ISTIO_MUTUAL'];

function tlsOf(entry: Part): Tls | undefined {
  const field = fieldOf(entry, 'tlsSettings');
  const settings = entry.json[field];
  if (typeof settings !== 'object' || settings === null) return undefined;
  const { mode } = mapOf(settings);
  // Enums may be written as their numbers.
  const name = typeof mode === 'number' ? (modes[mode] ?? String(mode)) : (textOf(mode) ?? 'DISABLE');
  return { ...subPart(entry, [field], settings), mode: name };
}
