import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { kindOfTypeUrl } from '../../../src/model/kinds.ts';
import { bodyToJson } from '../../../src/schema/json.ts';
import { listen } from '../listeners.ts';
import type { Istiod } from './istiod.ts';

/** An object of `/debug/configz`. */
export type ConfigObject = {
  readonly kind: string;
  readonly apiVersion: string;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly spec: unknown;
};

/** What a test may make of the pages. */
export type PageOptions = {
  /** Changes what is shown. @default nothing */
  edit?: (objects: ConfigObject[]) => ConfigObject[];
  /** Addresses of `configSources`. @default the bridge */
  configSources?: readonly string[];
  /** Asked of everybody, as of those that are not on its own host. */
  token?: string;
  /** Of `/ready`. @default as the istiod is */
  ready?: boolean;
  /** Bytes of `/debug/configz` after which the connection breaks. */
  breaksAfter?: number;
};

/** The pages of an istiod: port 8080 and 15014 in one. */
export class DebugPages {
  readonly options: PageOptions = {};
  /** Paths that were asked for. */
  readonly asked: string[] = [];
  readonly #istiod: Istiod;
  readonly #source: string;
  #port = 0;

  private constructor(istiod: Istiod, source: string) {
    this.#istiod = istiod;
    this.#source = source;
  }

  /** Serves them as long as the test lasts. @param source its `configSources`. */
  static async serve(istiod: Istiod, source: string): Promise<DebugPages> {
    const pages = new DebugPages(istiod, source);
    const server: Server = createServer((request, response) => pages.#answer(request, response));
    pages.#port = await listen(server);
    return pages;
  }

  get url(): string {
    return `http://127.0.0.1:${this.#port}`;
  }

  /** What `/debug/configz` shows. */
  objects(): ConfigObject[] {
    const { profile, store } = this.#istiod;
    const objects = profile.types.flatMap((typeUrl): ConfigObject[] => {
      const [group = '', version = '', name = ''] = typeUrl.split('/');
      const kind = kindOfTypeUrl(typeUrl);
      if (kind === undefined) return [];
      return Array.from(store.list(typeUrl).values(), (config) => {
        const [namespace = '', resource = ''] = config.key.split('/');
        const { labels, annotations } = config;
        return {
          kind: name,
          apiVersion: `${group}/${version}`,
          metadata: {
            name: resource,
            namespace: namespace === '' ? 'default' : namespace,
            // memory/store.go: the time, where there is no version.
            resourceVersion: config.version === '' ? '2026-11-23 06:46:19.159701788 +0000 UTC m=+0.1' : config.version,
            creationTimestamp: '1970-01-01T00:00:01Z',
            ...(Object.keys(labels).length === 0 ? {} : { labels }),
            ...(Object.keys(annotations).length === 0 ? {} : { annotations }),
          },
          spec: bodyToJson(kind, Buffer.from(config.body)).spec,
        };
      });
    });
    return this.options.edit?.(objects) ?? objects;
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const { url: path = '', headers } = request;
    this.asked.push(path);
    const { token, ready = this.#istiod.ready, configSources = [this.#source], breaksAfter } = this.options;
    if (path.startsWith('/debug/') && token !== undefined && headers.authorization !== `Bearer ${token}`) {
      response.writeHead(401).end();
    } else if (path === '/ready') response.writeHead(ready ? 200 : 503).end();
    else if (path === '/version') response.end(`${this.#istiod.profile.version}.3-0a1b2c3-Clean\n`);
    else if (path === '/debug/mesh') {
      response.end(JSON.stringify({ configSources: configSources.map((address) => ({ address })) }));
    } else if (path === '/debug/configz') {
      const text = JSON.stringify(this.objects());
      if (breaksAfter === undefined) response.end(text);
      else response.write(text.slice(0, breaksAfter), () => response.destroy());
    } else response.writeHead(404).end('404 page not found\n');
  }
}
