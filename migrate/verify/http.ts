import { IsthmusError, messageOf } from '../../src/model/errors.ts';

/** Largest page that is read as one text; lists of resources are read as they come. */
const maxTextBytes = 64 << 20;

export type PageQuestion = {
  /** Address of the pages; a path in it is kept: the pages of a Pod may lie behind that of an API server. */
  readonly base: URL;
  /** Without a slash before it. */
  readonly path: string;
  /** Sent as `Authorization: Bearer`; never shown. */
  readonly token?: string | undefined;
  /** Without a byte for so long, it does not answer any more. */
  readonly timeoutMs: number;
  /** What to do where nobody answers. */
  readonly hint: string;
};

export type Page = { readonly status: number; readonly body: AsyncIterable<Uint8Array> };

/**
 * Asks for a page, and gives `read` what comes, as it comes.
 * @throws IsthmusError UNREACHABLE where nobody answers, or the answer stops before its end.
 */
export async function withPage<T>(question: PageQuestion, read: (page: Page) => Promise<T>): Promise<T> {
  const { base, path, token, timeoutMs, hint } = question;
  const wait = new AbortController();
  const silence = () => wait.abort(new Error(`nothing came for ${timeoutMs / 1000} s`));
  const timer = setTimeout(silence, timeoutMs);
  const fail = (error: unknown) =>
    new IsthmusError('UNREACHABLE', base.href, `/${path}: ${reasonOf(error, wait.signal)}`, { hint, cause: error });
  async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
    if (response.body === null) return;
    const reader = response.body.getReader() as ReadableStreamDefaultReader<Uint8Array>;
    for (;;) {
      let next: Awaited<ReturnType<typeof reader.read>>;
      try {
        next = await reader.read();
      } catch (error) {
        throw fail(error);
      }
      if (next.done) return;
      timer.refresh();
      yield next.value;
    }
  }
  try {
    let response: Response;
    try {
      response = await fetch(urlOf(base, path), {
        // What is meant for one address is not shown to another.
        redirect: 'manual',
        headers: token === undefined ? {} : { authorization: `Bearer ${token}` },
        signal: wait.signal,
      });
    } catch (error) {
      throw fail(error);
    }
    return await read({ status: response.status, body: bodyOf(response) });
  } finally {
    clearTimeout(timer);
    // Of an answer that was not read to its end.
    wait.abort();
  }
}

/** The same, of a page that is short. @throws IsthmusError as {@link withPage}, and WRONG_PROTOCOL where it is not. */
export function readText(question: PageQuestion): Promise<{ readonly status: number; readonly text: string }> {
  return withPage(question, async ({ status, body }) => {
    const parts: Uint8Array[] = [];
    let bytes = 0;
    for await (const part of body) {
      bytes += part.length;
      if (bytes > maxTextBytes) {
        throw new IsthmusError('WRONG_PROTOCOL', question.base.href, `/${question.path} is longer than any such page`);
      }
      parts.push(part);
    }
    return { status, text: Buffer.concat(parts).toString('utf8') };
  });
}

function urlOf(base: URL, path: string): URL {
  const folder = new URL(base);
  if (!folder.pathname.endsWith('/')) folder.pathname += '/';
  return new URL(path, folder);
}

/** What fetch says is "fetch failed"; its cause says why, sometimes by its code alone. */
function reasonOf(error: unknown, { aborted, reason }: AbortSignal): string {
  if (aborted) return messageOf(reason);
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return messageOf(error);
  const { code } = cause as NodeJS.ErrnoException;
  return cause.message || code || messageOf(error);
}
