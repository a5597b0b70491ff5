import { readToken } from '../admin/write-token.ts';
import { IsthmusError, messageOf } from '../model/errors.ts';

/** As many as a bridge puts on one page at most; of some lists it puts fewer there. */
export const pageRows = 5000;

export type PageOptions = {
  /** Ends the wait. */
  readonly signal?: AbortSignal | undefined;
  /** A page that takes longer is not answered any more. @default 10000 */
  readonly timeoutMs?: number | undefined;
  /** A page that is longer is given up. @default any length */
  readonly maxBytes?: number | undefined;
};

/**
 * Reads one of the admin pages of a running bridge.
 * @returns undefined where it answers that there is no such thing.
 * @throws IsthmusError UNREACHABLE where nothing good comes; WRONG_PROTOCOL where something else answers.
 */
export async function readAdminPage(base: URL, path: string, options: PageOptions = {}): Promise<unknown> {
  const { response, page } = await request(base, path, {}, options);
  return response.ok ? page : undefined;
}

/** The option `token-file` of a verb that changes something. */
export const tokenOption = {
  type: 'string',
  nargs: 1,
  describe: "The bridge's --admin-token-file, where it is on another host",
} as const;

/**
 * Sends JSON to one of the admin pages that change something.
 * @param tokenFile of the token that another host is asked for.
 * @throws IsthmusError UNREACHABLE where nothing good comes; WRONG_PROTOCOL where something else answers; ACCESS_DENIED where it
 * refuses, or the token can't be read.
 */
export async function changeAdminPage(
  base: URL,
  method: 'POST' | 'PUT',
  path: string,
  body: object,
  tokenFile: string | undefined,
): Promise<{ readonly status: number; readonly page: unknown }> {
  const token = tokenFile === undefined ? {} : { authorization: `Bearer ${await readToken(tokenFile)}` };
  const headers = { 'content-type': 'application/json', ...token };
  const { response, page } = await request(base, path, { method, headers, body: JSON.stringify(body) }, {});
  const { status } = response;
  if (status === 401 || status === 403) {
    const { error = 'nothing more' } = (page ?? {}) as { error?: string };
    const hint = 'send it on the host of the bridge, or give --token-file where that has an --admin-token-file';
    throw new IsthmusError('ACCESS_DENIED', base.origin, `${path} answers ${status}: ${error}`, { hint });
  }
  return { status, page };
}

/**
 * Asks one of the admin pages, whatever it answers.
 * @throws IsthmusError UNREACHABLE where nothing comes, or too much, or too slowly.
 */
export async function askAdmin(
  base: URL,
  path: string,
  init: RequestInit,
  { signal, timeoutMs = 10_000, maxBytes = Number.POSITIVE_INFINITY }: PageOptions,
): Promise<{ readonly response: Response; readonly text: string }> {
  const wait = new AbortController();
  const stop = () => wait.abort(signal?.reason);
  signal?.addEventListener('abort', stop);
  // AbortSignal.timeout would not do: it lets the process end meanwhile, and AbortSignal.any can lose it (Node 20).
  const timer = setTimeout(() => wait.abort(new Error(`no answer within ${timeoutMs / 1000} s`)), timeoutMs);
  try {
    signal?.throwIfAborted();
    const response = await fetch(new URL(path, base), { ...init, signal: wait.signal });
    return { response, text: await textOf(response, maxBytes) };
  } catch (error) {
    throw new IsthmusError('UNREACHABLE', base.origin, reasonOf(error), {
      hint: 'is the bridge running, and is this its --admin-listen?',
      cause: error,
    });
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

async function textOf(response: Response, maxBytes: number): Promise<string> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const part of response.body ?? []) {
    length += part.length;
    if (length > maxBytes) throw new Error(`the answer is longer than ${maxBytes} bytes`);
    parts.push(part);
  }
  return Buffer.concat(parts).toString();
}

async function request(
  base: URL,
  path: string,
  init: RequestInit,
  options: PageOptions,
): Promise<{ readonly response: Response; readonly page: unknown }> {
  const { response, text } = await askAdmin(base, path, init, options);
  if (response.status >= 500) {
    throw new IsthmusError('UNREACHABLE', base.origin, `${path} answers ${response.status}`, {
      hint: "is this a bridge's --admin-listen? Its log may say more",
    });
  }
  try {
    const page: unknown = JSON.parse(text);
    return { response, page };
  } catch {
    throw noBridge(base, `${path} answers ${response.status} without JSON`);
  }
}

/** The same, of a page that is a list. */
export async function readAdminList(base: URL, path: string, options?: PageOptions): Promise<readonly unknown[]> {
  const page = await readAdminPage(base, path, options);
  if (Array.isArray(page)) return page;
  throw noBridge(base, `it has no list at ${path}`);
}

/**
 * All pages of a list of resources, as {@link readAdminPage} reads each. Older bridges have the whole list on one page.
 *
 * @throws IsthmusError as {@link readAdminPage}.
 */
export async function readAdminResources(base: URL, path: string, options?: PageOptions): Promise<readonly unknown[]> {
  const all: unknown[] = [];
  for (let next: unknown = `${path}?limit=${pageRows}`; typeof next === 'string'; ) {
    const page = await readAdminPage(base, next, options);
    if (Array.isArray(page)) return page;
    const { resources, next: following } = (page ?? {}) as { resources?: unknown; next?: unknown };
    if (!Array.isArray(resources)) throw noBridge(base, `it has no list at ${path}`);
    for (const resource of resources) all.push(resource);
    next = following;
  }
  return all;
}

/** WRONG_PROTOCOL, of an address where something else answers. */
export function noBridge(base: URL, message: string, cause?: unknown): IsthmusError {
  return new IsthmusError('WRONG_PROTOCOL', base.origin, message, {
    hint: "is this a bridge's --admin-listen? Its --metrics-listen has no such pages",
    cause,
  });
}

/** What fetch says is "fetch failed"; its cause says why, sometimes by its code alone. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return messageOf(error);
  return cause.message === '' ? String((cause as NodeJS.ErrnoException).code) : cause.message;
}
