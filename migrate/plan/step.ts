import { createHash } from 'node:crypto';

/** One step of a migration, in the order in which they are done. */
export type Step = {
  /** Stable: state files and `--done` name it. */
  readonly id: string;
  readonly title: string;
  /** Why, and what to mind; sentences. */
  readonly notes: readonly string[];
  /** Lines for a shell; empty where there is something to think about instead. */
  readonly commands: readonly string[];
  /** How one sees that it worked. */
  readonly check: { readonly command: string | undefined; readonly expect: string };
  /** The way back; sentences or lines for a shell. */
  readonly back: readonly string[];
};

/** Changes whenever what is to be done in the step does: a tick for the old one does not count any more. */
export function digestOf({ id, commands, check, back }: Step): string {
  return createHash('sha256')
    .update(JSON.stringify([id, commands, check, back]))
    .digest('hex')
    .slice(0, 16);
}

/** A word for a shell. */
export function quote(word: string): string {
  return /^[\w./:@=,+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}
