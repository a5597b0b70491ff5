import { IsthmusError, messageOf } from '../model/errors.ts';

/** A page that takes longer is not answered any more. */
const timeoutMs = 10_000;

const never = new AbortController().signal;

/**
 * Reads one of the admin pages of a running bridge.
 * @returns undefined where it answers that there is no such thing.
 * @throws IsthmusError UNREACHABLE where nothing good comes; WRONG_PROTOCOL where something else answers.
 */
export async function readAdminPage(base: URL, path: string, signal = never): Promise<unknown> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(new URL(path, base), { signal: AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]) });
    text = await response.text();
  } catch (error) {
    throw new IsthmusError('UNREACHABLE', base.origin, reasonOf(error), {
      hint: 'is the bridge running, and is this its --admin-listen?',
      cause: error,
    });
  }
  if (response.status >= 500) throw new IsthmusError('UNREACHABLE', base.origin, `${path} answers ${response.status}`);
  try {
    const page: unknown = JSON.parse(text);
    return response.ok ? page : undefined;
  } catch {
    throw noBridge(base, `${path} answers ${response.status} without JSON`);
  }
}

/** The same, of a page that is a list. */
export async function readAdminList(base: URL, path: string, signal?: AbortSignal): Promise<readonly unknown[]> {
  const page = await readAdminPage(base, path, signal);
  if (Array.isArray(page)) return page;
  throw noBridge(base, `it has no list at ${path}`);
}

function noBridge(base: URL, message: string): IsthmusError {
  return new IsthmusError('WRONG_PROTOCOL', base.origin, message, {
    hint: "is this a bridge's --admin-listen? Its --metrics-listen has no such pages",
  });
}

/** What fetch says is "fetch failed"; its cause says why, sometimes by its code alone. */
function reasonOf(error: unknown): string {
  const cause = error instanceof Error ? error.cause : undefined;
  if (!(cause instanceof Error)) return messageOf(error);
  return cause.message === '' ? String((cause as NodeJS.ErrnoException).code) : cause.message;
}
