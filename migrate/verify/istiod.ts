import { IsthmusError } from '../../src/model/errors.ts';
import { kindOf, type Kind } from '../../src/model/kinds.ts';
import { isRecord } from '../../src/model/record.ts';
import { parseVersion, type Version } from '../version.ts';
import { type PageQuestion, readText, withPage } from './http.ts';
import { BrokenListError, jsonElements } from './json-array.ts';

/** One istiod whose pages are read. */
export type IstiodAddress = {
  readonly url: URL;
  /** `NAMESPACE/NAME` of the Pod that a port-forward leads to; undefined where it is no such. */
  readonly pod?: string;
  /** Why the port-forward does not lead there; undefined where nothing is known of that. */
  readonly why?: () => string | undefined;
  /** What it asks of those that do not come from its own host; undefined = none is sent. */
  readonly token: string | undefined;
  /** For how long it may say nothing. */
  readonly timeoutMs: number;
};

/** What an istiod says of itself. */
export type IstiodFacts = {
  /** Undefined where it does not say, as one that was built by hand. */
  readonly version: Version | undefined;
  /** What `/ready` says; undefined where the port has no such page: 15014 has none, 8080 has. */
  readonly ready: boolean | undefined;
  /** Addresses of `configSources`, as its mesh config is now: not necessarily as it was when it started. */
  readonly configSources: readonly string[] | undefined;
};

/** A resource as `/debug/configz` shows it. */
export type HeldConfig = {
  readonly kind: Kind;
  /** `namespace/name`. istiod shows an empty namespace as `default`. */
  readonly key: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** `resourceVersion`: metadata.version of a bridge, a number of Kubernetes, or a time where it had none. */
  readonly version: string;
  /** As it stands there. */
  readonly spec: unknown;
};

const question = ({ url, token, timeoutMs }: IstiodAddress, path: string): PageQuestion => ({
  base: url,
  path,
  token,
  timeoutMs,
  hint: 'is istiod running, and does a port-forward lead there? kubectl -n istio-system port-forward POD 8080',
});

/**
 * Asks an istiod for what it says of itself.
 * @throws IsthmusError UNREACHABLE where nobody answers.
 */
export async function readFacts(istiod: IstiodAddress): Promise<IstiodFacts> {
  const [ready, version, mesh] = await Promise.all(
    ['ready', 'version', 'debug/mesh'].map((path) => readText(question(istiod, path))),
  );
  return {
    ready: ready?.status === 200 ? true : ready?.status === 503 ? false : undefined,
    version: version?.status === 200 ? parseVersion(version.text.trim().split('-')[0] ?? '') : undefined,
    configSources: mesh?.status === 200 ? sourcesOf(mesh.text) : undefined,
  };
}

function sourcesOf(mesh: string): string[] | undefined {
  try {
    const { configSources } = JSON.parse(mesh) as { configSources?: unknown };
    if (!Array.isArray(configSources)) return [];
    return configSources.map((source) => (isRecord(source) ? textOf(source['address']) : ''));
  } catch {
    return undefined;
  }
}

/**
 * Reads all configuration that an istiod has, of the kinds that a bridge can serve, and hands out one after the other:
 * those of Kubernetes too, where it reads that.
 *
 * @throws IsthmusError UNREACHABLE or WRONG_PROTOCOL where the list does not come whole: then what was handed out says
 *   nothing of what is missing.
 */
export function readConfigz(istiod: IstiodAddress, take: (config: HeldConfig) => void): Promise<void> {
  const subject = istiod.url.href;
  return withPage(question(istiod, 'debug/configz'), async ({ status, body }) => {
    if (status !== 200) throw refused(subject, status, istiod.token !== undefined);
    try {
      for await (const element of jsonElements(body)) {
        const config = configOf(element);
        if (config === 'unreadable') {
          throw new IsthmusError('WRONG_PROTOCOL', subject, '/debug/configz has something that is no configuration', {
            hint: 'is this the debug port of an istiod?',
          });
        }
        if (config !== undefined) take(config);
      }
    } catch (error) {
      if (!(error instanceof BrokenListError)) throw error;
      throw new IsthmusError('WRONG_PROTOCOL', subject, `/debug/configz can't be read: ${error.message}`, {
        hint: 'is this the debug port of an istiod, and has it started to its end?',
        cause: error,
      });
    }
  });
}

function refused(subject: string, status: number, hasToken: boolean): IsthmusError {
  if (status === 401 || status === 403) {
    const hint = hasToken
      ? 'the token of --istiod-token has to be one that istiod takes from sidecars: kubectl create token'
      : 'it lets its own host in without: use kubectl port-forward, or give a token with --istiod-token FILE';
    return new IsthmusError('UNREACHABLE', subject, `/debug/configz answers ${status}: it asks for a token`, { hint });
  }
  if (status === 404) {
    return new IsthmusError('WRONG_PROTOCOL', subject, 'it has no /debug/configz', {
      hint: 'debug pages are on 8080 and 15014 of istiod, unless ENABLE_DEBUG_ON_HTTP is false there',
    });
  }
  return new IsthmusError('UNREACHABLE', subject, `/debug/configz answers ${status}`, {
    hint: 'the log of istiod may say more; a resource that it can’t show as JSON breaks the whole page',
  });
}

/** Undefined for a kind that no bridge serves. */
function configOf(element: unknown): HeldConfig | 'unreadable' | undefined {
  if (!isRecord(element)) return 'unreadable';
  const { kind: name, apiVersion, metadata, spec = {} } = element;
  if (typeof name !== 'string' || typeof apiVersion !== 'string' || !isRecord(metadata)) return 'unreadable';
  const kind = kindOf(apiVersion.split('/')[0] ?? '', name);
  if (kind === undefined) return undefined;
  return {
    kind,
    key: `${textOf(metadata['namespace'])}/${textOf(metadata['name'])}`,
    labels: textsOf(metadata['labels']),
    annotations: textsOf(metadata['annotations']),
    version: textOf(metadata['resourceVersion']),
    spec,
  };
}

const textOf = (value: unknown): string => (typeof value === 'string' ? value : '');

function textsOf(value: unknown): Record<string, string> {
  return isRecord(value) ? (value as Record<string, string>) : {};
}
