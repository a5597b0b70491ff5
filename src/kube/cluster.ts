import type { KubeConfig } from '@kubernetes/client-node';
import { setTimeout as delay } from 'node:timers/promises';
import { isRecord } from '../model/record.ts';
import { type Asked, failureOf, KubeError, transportFailure } from './failure.ts';
import { type ClusterChoice, loadKubeconfig } from './kubeconfig.ts';
import { type KubeObject, listPath, objectPath, type ObjectRef, refText, type ResourceType } from './object.ts';
import { type KubeAnswer, type KubeRequest, send } from './transport.ts';

/** Namespace of Istio where no flag names one; that of a context is where people work, not where istiod runs. */
export const istioNamespace = 'istio-system';

/** Who writes, for `managedFields` of what is written. */
export const fieldManager = 'isthmus-migrate';

/**
 * A Kubernetes cluster, by its API. Every method throws a KubeError (exit code 3) where the API does not do it: what is not allowed
 * or not there is never taken for nothing.
 */
export type Cluster = {
  /** Name of the context, for messages. */
  readonly context: string;
  /** Address of the API server, for messages. */
  readonly server: string;
  readonly namespace: string;
  /** For what is no plain request, such as a port-forward. */
  readonly config: KubeConfig;
  get(type: ResourceType, ref: ObjectRef): Promise<KubeObject>;
  /** The kinds of an API group that can be listed, each in the version that is preferred; none where there is no such group. */
  kindsOf(group: string): Promise<ResourceType[]>;
  /** All objects of a kind, of all namespaces where none is given; in pages, and anew where the API forgot the rest of them. */
  list(type: ResourceType, options?: ListOptions): Promise<KubeObject[]>;
  /**
   * Changes what the patch names (RFC 7396), and nothing else of the object. With `metadata.resourceVersion` in it, the API refuses
   * with a conflict where the object was written since.
   * @returns the object as it is now.
   */
  patch(type: ResourceType, ref: ObjectRef, patch: Readonly<Record<string, unknown>>): Promise<KubeObject>;
};

export type ListOptions = {
  readonly namespace?: string | undefined;
  /** Such as `app=istiod`. */
  readonly labelSelector?: string;
};

export type ClusterOptions = {
  /** Longest time of one request, in milliseconds. @default 30 s */
  readonly timeoutMs?: number;
  /** Objects of one page of a list. @default 500 */
  readonly pageSize?: number;
};

/** How often a request is sent again that a busy API server turns away, and a list begun anew that it forgot. */
const maxRepeats = 3;
/** Longest wait for a busy API server. */
const maxWaitMs = 10_000;

/**
 * Reads the kubeconfig; asks nothing of the API yet.
 * @throws IsthmusError USAGE or CONFIG_INVALID where it says no cluster.
 */
export async function openCluster(choice: ClusterChoice, options: ClusterOptions = {}): Promise<Cluster> {
  const { timeoutMs = 30_000, pageSize = 500 } = options;
  const config = await loadKubeconfig(choice);
  const context = config.getCurrentContext();
  const server = config.getCurrentCluster()?.server ?? '';
  const namespace = choice.namespace ?? istioNamespace;

  async function ask(asked: Asked, request: Omit<KubeRequest, 'timeoutMs'>): Promise<Record<string, unknown>> {
    for (let repeat = 0; ; repeat++) {
      const answer = await sendWhole(asked, request);
      const { status, retryAfterMs } = answer;
      if (status >= 200 && status < 300) return requireJson(asked, answer);
      // It has not even looked at the request: sending it again is safe, also where it writes.
      if (status !== 429 || repeat === maxRepeats) throw failureOf(asked, status, answer.body.toString('utf8'));
      await delay(Math.min(retryAfterMs ?? 1_000, maxWaitMs));
    }
  }

  async function sendWhole(asked: Asked, request: Omit<KubeRequest, 'timeoutMs'>): Promise<KubeAnswer> {
    try {
      return await send(config, { ...request, timeoutMs });
    } catch (error) {
      throw transportFailure(asked, error, timeoutMs);
    }
  }

  const askedFor = (
    verb: Asked['verb'],
    { group, plural }: ResourceType,
    what: string,
    ref: Partial<ObjectRef>,
  ): Asked => ({
    verb,
    group,
    resource: plural,
    namespace: ref.namespace,
    name: ref.name,
    what,
    context,
    server,
  });

  return {
    context,
    server,
    namespace,
    config,
    async get(type, ref) {
      const asked = askedFor('get', type, refText(type, ref), ref);
      return requireObject(asked, type, await ask(asked, { method: 'GET', path: objectPath(type, ref) }));
    },
    async kindsOf(group) {
      const asked = (what: string): Asked => askedFor('get', { group, plural: what, version: '', kind: '' }, what, {});
      const path = `/apis/${group}`;
      try {
        return await kindsAt(path, (at) => ask(asked(at), { method: 'GET', path: at }));
      } catch (error) {
        if (error instanceof KubeError && error.failure === 'noSuchKind' && error.subject === path) return [];
        throw error;
      }
    },
    async list(type, { namespace: within, labelSelector } = {}) {
      const what = `${type.plural}${within === undefined ? '' : ` in ${within}`}`;
      const asked = askedFor('list', type, what, { namespace: within });
      const page = async (rest: string) => {
        const query = new URLSearchParams({ limit: String(pageSize) });
        if (labelSelector !== undefined) query.set('labelSelector', labelSelector);
        if (rest !== '') query.set('continue', rest);
        return await ask(asked, { method: 'GET', path: `${listPath(type, within)}?${query.toString()}` });
      };
      for (let repeat = 0; ; repeat++) {
        try {
          return await allPages(asked, type, page);
        } catch (error) {
          if (!(error instanceof KubeError) || error.failure !== 'gone' || repeat === maxRepeats) throw error;
        }
      }
    },
    async patch(type, ref, patch) {
      const asked = askedFor('patch', type, refText(type, ref), ref);
      const path = `${objectPath(type, ref)}?fieldManager=${fieldManager}`;
      const body = { type: 'application/merge-patch+json', text: JSON.stringify(patch) };
      return requireObject(asked, type, await ask(asked, { method: 'PATCH', path, body }));
    },
  };
}

/** Source: the discovery API, APIGroup and APIResourceList of meta/v1. */
async function kindsAt(path: string, get: (path: string) => Promise<Record<string, unknown>>): Promise<ResourceType[]> {
  const group = path.slice(path.lastIndexOf('/') + 1);
  const { versions, preferredVersion } = await get(path);
  const names = [preferredVersion, ...(Array.isArray(versions) ? (versions as unknown[]) : [])].flatMap((one) =>
    isRecord(one) && typeof one['version'] === 'string' ? [one['version']] : [],
  );
  const found = new Map<string, ResourceType>();
  for (const version of new Set(names)) {
    const { resources } = await get(`${path}/${version}`);
    for (const one of Array.isArray(resources) ? (resources as unknown[]) : []) {
      if (!isRecord(one) || !Array.isArray(one['verbs']) || !one['verbs'].includes('list')) continue;
      const { name: plural, kind } = one;
      if (typeof plural !== 'string' || typeof kind !== 'string' || plural.includes('/') || found.has(plural)) continue;
      found.set(plural, { group, version, plural, kind });
    }
  }
  return [...found.values()];
}

async function allPages(
  asked: Asked,
  type: ResourceType,
  page: (rest: string) => Promise<Record<string, unknown>>,
): Promise<KubeObject[]> {
  const objects: KubeObject[] = [];
  let rest = '';
  do {
    const { items, metadata } = await page(rest);
    if (!Array.isArray(items)) throw foreign(asked, 'a list without items');
    for (const item of items) objects.push(requireObject(asked, type, item));
    const next = isRecord(metadata) ? metadata['continue'] : undefined;
    rest = typeof next === 'string' ? next : '';
  } while (rest !== '');
  return objects;
}

function requireJson(asked: Asked, { body }: KubeAnswer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    if (isRecord(value)) return value;
  } catch {
    // Its text may be anything, and is not shown.
  }
  throw foreign(asked, 'something that is no JSON of its API');
}

/** Objects of a list say neither their API nor their kind. */
function requireObject(asked: Asked, { group, version, kind }: ResourceType, value: unknown): KubeObject {
  const metadata = isRecord(value) ? value['metadata'] : undefined;
  if (!isRecord(value) || !isRecord(metadata) || typeof metadata['name'] !== 'string')
    throw foreign(asked, 'an object without a name');
  const apiVersion = group === '' ? version : `${group}/${version}`;
  return { apiVersion, kind, ...value, metadata } as KubeObject;
}

function foreign({ what, server }: Asked, answer: string): KubeError {
  return new KubeError('foreign', what, `${server} answers with ${answer}`, {
    hint: 'is it the address of the API server? A proxy or a login page may answer in its place',
  });
}
