import type { Config, ConfigStore } from './config-store.ts';
import type { IstiodProfile } from './profile.ts';
import { bodyOf, kindOf, knownBodies } from './types.ts';
import { type AnyMessage, checkBody, decodeResource, type McpResource } from './wire.ts';

/** The process ends here. */
export class Panic extends Error {}

/** Said to the log, by nobody to the server: such a resource counts as absent. */
class InvalidData extends Error {}

export type ApplyOptions = {
  readonly profile: IstiodProfile;
  readonly store: ConfigStore;
  /** istiod's own; "" = none. */
  readonly revision: string;
  /** Called with each line that istiod logs about a resource. */
  readonly log: (line: string) => void;
  /** @default decodes; one that remembers saves time */
  readonly decode?: (any: AnyMessage) => McpResource;
};

const mcpResourceUrl = 'type.googleapis.com/istio.mcp.v1alpha1.Resource';

/** The Resource inside. @throws where it is none */
export function unwrap({ type_url: typeUrl, value }: AnyMessage): McpResource {
  if (typeUrl !== mcpResourceUrl) throw new InvalidData(`mismatched message type ${typeUrl}`);
  return decodeResource(value);
}

/**
 * adsc.go handleMCP: one response is the whole state of its type. Adds and updates first, object by object; then what
 * was not received, or could not be read, is deleted.
 *
 * @throws Panic
 */
export function applyResponse(typeUrl: string, resources: readonly AnyMessage[], options: ApplyOptions): void {
  const { profile, store, log, decode = unwrap } = options;
  const before = [...store.list(typeUrl).keys()];
  const received = new Set<string>();
  for (const resource of resources) {
    let config: Config | undefined;
    try {
      config = configOf(decode(resource), options);
    } catch (error) {
      if (error instanceof Panic) throw error;
      log(`Invalid data: ${String(error)}`);
      continue;
    }
    if (config === undefined) continue;
    received.add(config.key);
    // Without validation it is stored, and the handlers of 1.10 to 1.13 cast it without looking.
    if (profile.panics && config.bodyType !== bodyOf[kindOf(typeUrl)]) {
      throw new Panic(`interface conversion: ${typeUrl} ${config.key} holds ${config.bodyType ?? 'nil'}`);
    }
    const old = store.list(typeUrl).get(config.key);
    if (old === undefined) {
      if (!store.create(typeUrl, config)) log(`Error adding a new resource to the store: ${config.key}`);
    } else if (profile.versions !== 'compared' || old.version !== config.version || config.version === '') {
      if (!store.update(typeUrl, config)) log(`Error updating an existing resource in the store: ${config.key}`);
    }
  }
  for (const key of before) if (!received.has(key)) store.delete(typeUrl, key);
}

/** What became of a resource; one that was not decoded again (see ResponseDecoder) is not looked at again. */
const made = new WeakMap<McpResource, Config>();

function configOf(resource: McpResource, options: ApplyOptions): Config | undefined {
  const before = made.get(resource);
  if (before !== undefined) return before;
  const config = toConfig(resource, options);
  if (config !== undefined) made.set(resource, config);
  return config;
}

/** adsc.go mcpToPilot; undefined where the revision is another one. */
function toConfig({ metadata, body }: McpResource, options: ApplyOptions): Config | undefined {
  const { profile, revision } = options;
  if (metadata === null) {
    return { key: '/', version: '', labels: {}, annotations: {}, bodyType: undefined, body: Buffer.alloc(0) };
  }
  const { name, version, createTime, labels, annotations } = metadata;
  if (!isInRevision(profile, revision, labels['istio.io/rev'])) return undefined;
  const parts = name.split('/');
  if (parts.length !== 2) throw new InvalidData(`invalid name ${name}`);
  if (createTime === null && profile.needsCreateTime) throw new InvalidData('timestamp: nil Timestamp');
  if (body === null) throw new InvalidData('no body');
  const bodyType = messageName(profile, body.type_url);
  if (!knownBodies.has(bodyType)) throw new InvalidData(`not found: ${bodyType}`);
  checkBody(bodyType, body.value);
  return { key: name, version, labels, annotations, bodyType, body: body.value };
}

/** pkg/config/model.go ObjectInRevision. */
export function isInRevision(profile: IstiodProfile, revision: string, label: string | undefined): boolean {
  if (profile.revisions === 'ignored' || label === undefined) return true;
  return label === revision || (profile.revisions === 'unset takes all' && revision === '');
}

/** gogo, up to 1.13, wants a slash in the type URL; protobuf-go does not. */
function messageName(profile: IstiodProfile, typeUrl: string): string {
  const slash = typeUrl.lastIndexOf('/');
  if (slash < 0 && profile.needsCreateTime) throw new InvalidData(`message type url "${typeUrl}" is invalid`);
  return typeUrl.slice(slash + 1);
}
