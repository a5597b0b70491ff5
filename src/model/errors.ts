/** Stable codes of what can go wrong; a closed set, used in logs and as metric labels. */
export type ErrorCode =
  | 'USAGE'
  | 'CONFIG_INVALID'
  | 'LISTEN_FAILED'
  | 'UNREACHABLE'
  | 'WRONG_PROTOCOL'
  | 'TLS_FAILED'
  | 'TLS_UNUSABLE'
  | 'MESSAGE_TOO_LARGE'
  | 'MESSAGE_MALFORMED'
  | 'COLLECTION_UNSUPPORTED'
  | 'STREAM_ENDED'
  | 'SEND_TIMEOUT'
  | 'STATE_UNWRITABLE'
  | 'ACCESS_DENIED'
  | 'NOT_FOUND'
  | 'CONFLICT'
  | 'API_FAILED';

/** Process exit codes of every verb (docs: README, "Exit codes"). */
export const exitCode = { ok: 0, findings: 1, usage: 2, environment: 3, bug: 70 } as const;

/** Carries what an operator needs: a stable code, the subject, what is wrong, what to do next. */
export class IsthmusError extends Error {
  override readonly name = 'IsthmusError';
  readonly code: ErrorCode;
  /** What it is about: an address, a file, a flag, a source's name. */
  readonly subject: string;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, subject: string, message: string, options: { hint?: string; cause?: unknown } = {}) {
    super(`${subject}: ${message}`, options.cause === undefined ? {} : { cause: options.cause });
    this.code = code;
    this.subject = subject;
    this.hint = options.hint;
  }

  /** 2 for what the user wrote, 3 for what the machine or the network refuses. */
  get exitCode(): number {
    return this.code === 'USAGE' || this.code === 'CONFIG_INVALID' ? exitCode.usage : exitCode.environment;
  }
}

/** The message of anything that was thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
