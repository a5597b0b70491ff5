import type { IstiodProfile } from './profile.ts';
import { bodyOf, kindOf } from './types.ts';
import { hostsOf } from './wire.ts';

/** One object as istiod files it. */
export type Config = {
  /** `namespace/name`. */
  readonly key: string;
  /** metadata.version as it came. */
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Full name of the body's message; undefined where the resource had no metadata, and so nothing. */
  readonly bodyType: string | undefined;
  readonly body: Uint8Array;
};

/** What the store tells its handlers, of which every one means a push to the proxies. */
export type ConfigEvent = { readonly typeUrl: string; readonly key: string } & (
  | { readonly event: 'add' | 'update'; readonly config: Config }
  | { readonly event: 'delete'; readonly config: undefined }
);

/** pilot/pkg/config/memory: what came over MCP-over-xDS, with the rules of one version. */
export class ConfigStore {
  readonly #profile: IstiodProfile;
  readonly #onEvent: (event: ConfigEvent) => void;
  readonly #types: ReadonlyMap<string, Map<string, Config>>;

  constructor(profile: IstiodProfile, onEvent: (event: ConfigEvent) => void) {
    this.#profile = profile;
    this.#onEvent = onEvent;
    this.#types = new Map(profile.types.map((typeUrl) => [typeUrl, new Map<string, Config>()]));
  }

  /** Of a type: key → object. Empty where the type is none that this version asks for. */
  list(typeUrl: string): ReadonlyMap<string, Config> {
    return this.#types.get(typeUrl) ?? new Map<string, Config>();
  }

  /** False where the object is not valid. */
  create(typeUrl: string, config: Config): boolean {
    if (!this.#isValid(typeUrl, config)) return false;
    this.#types.get(typeUrl)?.set(config.key, config);
    this.#onEvent({ typeUrl, key: config.key, event: 'add', config });
    return true;
  }

  /** The same; false too for 1.11's "conflicting resource version, try again" (memory/store.go hasConflict). */
  update(typeUrl: string, config: Config): boolean {
    if (!this.#isValid(typeUrl, config)) return false;
    // What is stored has a wall clock's time as version, which nobody can send.
    if (this.#profile.versions === 'conflict' && config.version !== '') return false;
    this.#types.get(typeUrl)?.set(config.key, config);
    this.#onEvent({ typeUrl, key: config.key, event: 'update', config });
    return true;
  }

  delete(typeUrl: string, key: string): void {
    if (this.#types.get(typeUrl)?.delete(key)) this.#onEvent({ typeUrl, key, event: 'delete', config: undefined });
  }

  /** The part of validation.go that the tests use: the cast to the kind's message, and that a ServiceEntry has hosts. */
  #isValid(typeUrl: string, { bodyType, body }: Config): boolean {
    if (!this.#profile.validates) return true;
    const kind = kindOf(typeUrl);
    if (bodyType !== bodyOf[kind]) return false;
    return kind !== 'ServiceEntry' || hostsOf(body).length > 0;
  }
}
