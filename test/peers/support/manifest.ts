import { parseAllDocuments } from 'yaml';

/** An Istio resource as people write it and as `/debug/configz` shows it. */
export type Manifest = {
  /** "Kind/namespace/name". */
  readonly key: string;
  readonly kind: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly spec: unknown;
};

type KubernetesObject = {
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly resourceVersion?: string;
    readonly labels?: Record<string, string>;
    readonly annotations?: Record<string, string>;
  };
  readonly spec?: unknown;
};

function toManifest({ kind, metadata, spec = {} }: KubernetesObject): Manifest {
  const { name, namespace = '', labels = {}, annotations = {} } = metadata;
  return { key: `${kind}/${namespace}/${name}`, kind, labels, annotations, spec };
}

export function parseManifests(text: string): Manifest[] {
  return parseAllDocuments(text).map((document) => {
    const [error] = document.errors;
    if (error) throw error;
    return toManifest(document.toJS() as KubernetesObject);
  });
}

/** A resource that istiod holds. */
export type HeldConfig = Manifest & { readonly resourceVersion: string };

export function parseConfigz(text: string): Map<string, HeldConfig> {
  const objects = JSON.parse(text) as KubernetesObject[];
  return new Map(
    objects.map((object) => {
      const held = { ...toManifest(object), resourceVersion: object.metadata.resourceVersion ?? '' };
      return [held.key, held];
    }),
  );
}

const head =
  /"kind":\s*"([^"]*)",\s*"apiVersion":\s*"[^"]*",\s*"metadata":\s*\{\s*"name":\s*"([^"]*)",\s*"namespace":\s*"([^"]*)"/g;

/** The keys of {@link parseConfigz}, read without the rest of the text; every object must have a namespace. */
export function keysOfConfigz(text: string): Set<string> {
  return new Set(Array.from(text.matchAll(head), ([, kind, name, namespace]) => `${kind}/${namespace}/${name}`));
}

/** Fields that hold a google.protobuf.Duration; people write "2m30s", proto JSON writes "150s". */
const durationFields = new Set([
  'baseEjectionTime',
  'connectTimeout',
  'fixedDelay',
  'idleTimeout',
  'interval',
  'maxAge',
  'perTryTimeout',
  'time',
  'timeout',
  'ttl',
]);

const nanos = { h: 3_600e9, m: 60e9, s: 1e9, ms: 1e6, us: 1e3, ns: 1 } as const;

function durationNanos(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|us|ns|h|m|s))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|us|ns|h|m|s)/g)) {
    total += Number(amount) * nanos[unit as keyof typeof nanos];
  }
  return Math.round(total);
}

/** Enum fields whose written value may be the zero value, which proto JSON leaves away. By kind, then "parent.field". */
const zeroValues: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  ServiceEntry: { 'spec.location': 'MESH_EXTERNAL', 'spec.resolution': 'NONE' },
  DestinationRule: { 'tls.mode': 'DISABLE' },
  Gateway: { 'tls.mode': 'PASSTHROUGH' },
  Sidecar: { 'outboundTrafficPolicy.mode': 'REGISTRY_ONLY' },
};

function canonical(value: unknown, zeros: Readonly<Record<string, string>>, field: string): unknown {
  if (Array.isArray(value)) return value.map((item) => canonical(item, zeros, field));
  if (typeof value === 'object' && value !== null) {
    const entries = Object.entries(value)
      .filter(([name, item]) => zeros[`${field}.${name}`] === undefined || zeros[`${field}.${name}`] !== item)
      .map(([name, item]) => [name, canonical(item, zeros, name)] as const);
    return Object.fromEntries(entries);
  }
  if (typeof value === 'string' && durationFields.has(field)) return durationNanos(value) ?? value;
  return value;
}

/** The spec in one form for both ways of writing it. Nothing else but durations and {@link zeroValues} is evened out. */
export function canonicalSpec(manifest: Manifest): unknown {
  return canonical(manifest.spec, zeroValues[manifest.kind] ?? {}, 'spec');
}

function compare(path: string, want: unknown, have: unknown, found: string[]): void {
  const wantObject = typeof want === 'object' && want !== null;
  const haveObject = typeof have === 'object' && have !== null;
  if (wantObject && haveObject && Array.isArray(want) === Array.isArray(have)) {
    for (const name of new Set([...Object.keys(want), ...Object.keys(have)])) {
      compare(
        `${path}.${name}`,
        (want as Record<string, unknown>)[name],
        (have as Record<string, unknown>)[name],
        found,
      );
    }
    return;
  }
  if (want !== have) found.push(`${path}: want ${JSON.stringify(want)}, have ${JSON.stringify(have)}`);
}

/** Every difference in keys, specs, labels and annotations, one line each; empty when both sides say the same. */
export function differences(want: ReadonlyMap<string, Manifest>, have: ReadonlyMap<string, Manifest>): string[] {
  const found: string[] = [];
  for (const key of new Set([...want.keys(), ...have.keys()])) {
    const [wanted, held] = [want.get(key), have.get(key)];
    if (wanted === undefined) found.push(`${key}: not wanted, but there`);
    else if (held === undefined) found.push(`${key}: missing`);
    else {
      compare(`${key} labels`, wanted.labels, held.labels, found);
      compare(`${key} annotations`, wanted.annotations, held.annotations, found);
      compare(`${key} spec`, canonicalSpec(wanted), canonicalSpec(held), found);
    }
  }
  return found;
}
