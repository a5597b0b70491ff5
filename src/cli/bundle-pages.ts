import { IsthmusError, messageOf } from '../model/errors.ts';
import { isRecord } from '../model/record.ts';
import { askAdmin, noBridge, pageRows } from './admin-client.ts';
import { redactText, redactValue } from './bundle-redact.ts';

/** Debug pages of a bridge that are in a bundle; all of a longer list. */
export const bundledPages = [
  '/debug/origins',
  '/debug/snapshot',
  '/debug/streams',
  '/debug/sinks',
  '/debug/quarantine',
  '/debug/conflicts',
  '/debug/changes',
  '/debug/state',
  '/debug/guard',
  '/debug/config',
  '/debug/log-level',
] as const;

/** Pages that are not, and why. */
export const leftOut: Readonly<Record<string, string>> = {
  '/debug/snapshot/{kind}/{namespace}/{name}': 'it is the body of a resource',
  '/debug/search?q={text}': 'it answers a question about bodies of resources',
  '/debug/changes/{id}': 'it has a resource before and after it changed',
  '/debug/streams/{id}/pushes': 'what each stream was sent last is in /debug/streams',
  '/debug/heap': 'it stops the bridge for seconds, and has all that it holds: bodies, and keys too',
  '/debug/cpu{?seconds}': 'it slows the bridge down; ask for it where that is what is wrong',
};

/** Pages that are read in a way of their own. */
const readApart = ['/debug/log', '/debug/snapshot/{kind}'];

/** Pages of one list: what is beyond is not read. */
const maxPages = 10;

/** Of one page, in bytes, and the time that it may take. */
const maxPageBytes = 32 << 20;
const timeoutMs = 30_000;

/** Of what answers, and is no bridge. */
const noIndex = '/debug/ is no page of a bridge';

/** One file of a bundle. */
export type BundleFile = { readonly name: string; readonly text: string };

/** What was read of a bridge, without secrets. */
export type BundleReading = {
  readonly files: readonly BundleFile[];
  /** By its path; each page of a list. */
  readonly pages: ReadonlyMap<string, readonly unknown[]>;
  /** What could not be read, one sentence each. */
  readonly missing: readonly string[];
  /** The same of pages that another version of a bridge has. */
  readonly unknown: readonly string[];
  /** Of the bridge; undefined where it does not say. */
  readonly version: string | undefined;
};

/**
 * Reads all that goes into a bundle. A page that does not answer is a file that says so.
 * @throws IsthmusError UNREACHABLE, WRONG_PROTOCOL where no bridge answers at all.
 */
export async function readBundle(base: URL): Promise<BundleReading> {
  const index = await textOf(base, '/debug/')
    .then<unknown>(JSON.parse)
    .catch((error: unknown) => {
      // What nobody answers to has said so itself.
      throw error instanceof IsthmusError && error.hint !== undefined ? error : noBridge(base, noIndex, error);
    });
  const version = isRecord(index) && typeof index['version'] === 'string' ? index['version'] : undefined;
  if (version === undefined) throw noBridge(base, noIndex);
  const routes = isRecord(index) && isRecord(index['routes']) ? index['routes'] : {};
  const known: readonly string[] = [...bundledPages, ...Object.keys(leftOut), ...readApart];
  const unknown = [
    ...bundledPages
      .filter((path) => !Object.hasOwn(routes, path))
      .map((path) => `${path}: this bridge has no such page`),
    ...Object.keys(routes)
      .filter((path) => path.startsWith('/debug/') && !known.includes(path))
      .map((path) => `${path}: this command does not know it; take one of the version of the bridge`),
  ];
  const reading = new Reading(base);
  await Promise.all([
    reading.text('/healthz', 'healthz.txt'),
    reading.text('/readyz', 'readyz.txt'),
    reading.text('/syncz', 'syncz.json'),
    reading.text('/metrics', 'metrics.txt'),
    reading.log(),
    ...bundledPages.filter((path) => Object.hasOwn(routes, path)).map((path) => reading.list(path)),
  ]);
  // One after the other: they are long.
  for (const kind of kindsOf(reading.pages.get('/debug/snapshot')?.[0])) {
    await reading.list(`/debug/snapshot/${encodeURIComponent(kind)}`);
  }
  const { files, pages, missing } = reading;
  return { files: files.toSorted((a, b) => (a.name < b.name ? -1 : 1)), pages, missing, unknown, version };
}

class Reading {
  readonly files: BundleFile[] = [];
  readonly pages = new Map<string, unknown[]>();
  readonly missing: string[] = [];
  readonly #base: URL;

  constructor(base: URL) {
    this.#base = base;
  }

  /** A page that is not looked into, whatever it answers: `/syncz` says more where it is not content. */
  async text(path: string, name: string): Promise<void> {
    await this.#try(path, name, async () => {
      const { response, text } = await ask(this.#base, path);
      this.files.push({ name, text: redactText(`${response.ok ? '' : `HTTP ${response.status}\n`}${text}`) });
    });
  }

  /** The lines of the log, each by itself. */
  async log(): Promise<void> {
    const name = 'log.ndjson';
    await this.#try('/debug/log', name, async () => {
      const lines = (await textOf(this.#base, '/debug/log')).split('\n').filter((line) => line !== '');
      this.files.push({ name, text: lines.map((line) => `${redactLine(line)}\n`).join('') });
    });
  }

  /** A page of JSON, and those behind it where it is a list with a `next`. */
  async list(path: string): Promise<void> {
    const pages: unknown[] = [];
    this.pages.set(path, pages);
    for (let next: unknown = `${path}?limit=${pageRows}`; typeof next === 'string'; ) {
      const name = `${path.slice(1)}${pages.length === 0 ? '' : `.${pages.length + 1}`}.json`;
      if (pages.length === maxPages) {
        this.missing.push(`${path}: only its first ${maxPages} pages are here`);
        return;
      }
      const address: string = next;
      next = undefined;
      await this.#try(address, name, async () => {
        const page: unknown = JSON.parse(await textOf(this.#base, address));
        next = isRecord(page) ? page['next'] : undefined;
        const shown = redactValue(page);
        pages.push(shown);
        this.files.push({ name, text: `${JSON.stringify(shown, undefined, 1)}\n` });
      });
    }
  }

  async #try(path: string, name: string, read: () => Promise<void>): Promise<void> {
    try {
      await read();
    } catch (error) {
      const what = redactText(`${path.replace(/\?.*/, '')} could not be read: ${messageOf(error)}`);
      this.missing.push(what);
      this.files.push({ name: `${name}.failed.txt`, text: `${what}\n` });
    }
  }
}

function redactLine(line: string): string {
  try {
    return JSON.stringify(redactValue(JSON.parse(line)));
  } catch {
    return redactText(line);
  }
}

async function textOf(base: URL, path: string): Promise<string> {
  const { response, text } = await ask(base, path);
  if (response.ok) return text;
  const what = response.status === 404 ? 'this bridge has no such page' : `it answers ${response.status}`;
  throw new IsthmusError('UNREACHABLE', base.origin, what);
}

const ask = (base: URL, path: string) => askAdmin(base, path, {}, { timeoutMs, maxBytes: maxPageBytes });

/** Names of the kinds of which there may be resources. */
function kindsOf(snapshot: unknown): string[] {
  if (!Array.isArray(snapshot)) return [];
  const rows = snapshot.filter(isRecord).filter(({ complete, resources }) => complete === true && resources !== 0);
  return rows.flatMap(({ kind }) => (typeof kind === 'string' ? [kind] : []));
}
