import { viewResourceBytes } from '../wire/resource-view.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import { MalformedError } from '../wire/scan.ts';
import type { ProfileName } from './source-profile.ts';

/** Resources of a message that are looked at. */
const maxResources = 20;

/** What the first messages of a source show of its habits. */
export type Signs = {
  readonly nonces: readonly string[];
  readonly systemVersions: readonly string[];
  readonly collections: readonly string[];
  readonly names: readonly string[];
  readonly versions: readonly string[];
  /** Resources that had a create_time. */
  readonly timed: number;
  /** Resources whose host is what is behind the slash of their name, and `nacos` without a dot before it. */
  readonly undotted: number;
};

export const noSigns: Signs = {
  nonces: [],
  systemVersions: [],
  collections: [],
  names: [],
  versions: [],
  timed: 0,
  undotted: 0,
};

/** The signs so far, and those of one more message. */
export function withMessage(signs: Signs, message: ResourcesView): Signs {
  const names: string[] = [];
  const versions: string[] = [];
  let { timed, undotted } = signs;
  for (let i = 0; i < message.spans.length && names.length < maxResources; i += 2) {
    try {
      const resource = viewResourceBytes(message.bytes.subarray(message.spans[i], message.spans[i + 1]));
      names.push(resource.name);
      versions.push(resource.version);
      if (resource.createTime !== undefined) timed++;
      if (resource.body.includes(`${resource.name.slice(resource.name.indexOf('/') + 1)}nacos`)) undotted++;
    } catch (error) {
      // The intake says what is wrong with it.
      if (!(error instanceof MalformedError)) throw error;
    }
  }
  return {
    nonces: [...signs.nonces, message.nonce],
    systemVersions: [...signs.systemVersions, message.systemVersionInfo],
    collections: [...signs.collections, message.collection],
    names: [...signs.names, ...names],
    versions: [...signs.versions, ...versions],
    timed,
    undotted,
  };
}

/** Which server it probably is, and what says so. */
export type Guess = { readonly profile: ProfileName; readonly because: readonly string[] };

const goTime = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/;
const milliseconds = /^\d{13}$/;
/** With hyphens, or without, as of a real Nacos 2.0.4. */
const uuid = /^[0-9a-f]{8}(?:-?[0-9a-f]{4}){3}-?[0-9a-f]{12}$/;
const counter = /^\d{1,12}$/;

/** Undefined where the signs are too few, or those of nobody who is known. */
export function guessOf(signs: Signs): Guess | undefined {
  const { nonces, names, versions, timed, undotted, systemVersions, collections } = signs;
  const every = (list: readonly string[], pattern: RegExp) => list.length > 0 && list.every((one) => pattern.test(one));
  if (every(nonces, /^Snapshot:\[/))
    return { profile: 'hango', because: ['its nonces are those of hango (Snapshot:[…])'] };
  if (names.length === 0) return undefined;
  const areBare = names.every((name) => !name.includes('/'));
  const areVersions = (version: string) => versions.every((one) => one === version);
  const isNacos = every(names, /^nacos\//);
  if (every(nonces, goTime)) {
    const because = ['its nonces are times of Go'];
    if (areVersions('v1') && timed === 0) {
      const said = ['every version is "v1"', 'nothing has a create_time'];
      return { profile: 'consul-mcp', because: [...because, ...said] };
    }
    if (areVersions('1') && timed === 0)
      return { profile: 'istio-consul', because: [...because, 'every version is "1"'] };
    if (isNacos) return { profile: 'nacos-istio', because: [...because, 'every name begins with nacos/'] };
    return undefined;
  }
  if (every(nonces, milliseconds) && isNacos) {
    const because = ['its nonces are clock times in milliseconds', 'every name begins with nacos/'];
    if (names.some((name) => name.includes('.sn'))) {
      return { profile: 'nacos-1', because: [...because, 'its names hold .sn, as up to 2.0.0'] };
    }
    return { profile: 'nacos-2.0.x', because };
  }
  const isUuid = every(nonces, uuid);
  if (isUuid && every(names, /^[^/]+\/.+\..+\..+$/)) {
    const because = ['its nonces are UUIDs', 'its names are NAMESPACE/SERVICE.GROUP.NAMESPACE'];
    if (undotted > 0) return { profile: 'nacos-3', because: [...because, 'its hosts have no dot before nacos'] };
    return { profile: 'nacos-2', because };
  }
  if (!every(nonces, counter)) return undefined;
  const because = ['its nonces count from 1, as those of istio.io/istio/pkg/mcp'];
  if (systemVersions.every((version, i) => /^\d+$/.test(afterPrefix(version, `${collections[i]}/`)))) {
    return { profile: 'galley', because: [...because, 'its versions are a collection and a number'] };
  }
  if (names.some((name) => name.startsWith('internal/')) && timed === 0) {
    return { profile: 'copilot', because: [...because, 'names begin with internal/', 'nothing has a create_time'] };
  }
  if (areBare && every(systemVersions, /^\d+\.0$/)) {
    return { profile: 'service-manager', because: [...because, 'its versions are N.0', 'its names have no namespace'] };
  }
  return { profile: 'pkg-mcp', because };
}

function afterPrefix(text: string, prefix: string): string {
  return text.startsWith(prefix) ? text.slice(prefix.length) : '';
}
