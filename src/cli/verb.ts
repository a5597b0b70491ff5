import type { Argv } from 'yargs';
import { exitCode } from '../model/errors.ts';

/** What a file of a verb holds. */
export type VerbModule<Flags> = {
  builder(yargs: Argv): Argv<Flags>;
  /** @returns the exit code; nothing = 0. */
  handler(flags: Flags): Promise<number | void>;
};

/** A verb of the command line. Its code, and the libraries that only it needs, are loaded when it is asked for. */
export type Verb = {
  readonly command: string;
  readonly describe: string;
  // A verb gets the flags that its own builder has made; which they are is nobody else's business.
  readonly load: () => Promise<VerbModule<never>>;
};

/** What `load` of a verb returns, of a file of it. */
export const verbModule = async <Flags>(file: Promise<VerbModule<Flags>>): Promise<VerbModule<never>> =>
  (await file) as unknown as VerbModule<never>;

/**
 * Stands for `-` while yargs reads the command line: it takes that word for the beginning of an option, and leaves it out
 * of what is positional. No word of a command line can hold it.
 */
const hyphen = '\u0000-';

/** The words of a command line as a parser with verbs takes them; its verbs get them back as they were. */
export function hideHyphens(words: readonly string[]): string[] {
  return words.map((word) => (word === '-' ? hyphen : word));
}

function showHyphens<Flags extends object>(flags: Flags): Flags {
  const show = (value: unknown): unknown => {
    if (Array.isArray(value)) return value.map((one) => show(one));
    return value === hyphen ? '-' : value;
  };
  return Object.fromEntries(Object.entries(flags).map(([name, value]) => [name, show(value)])) as Flags;
}

/** Makes a parser take these verbs; the one that runs sets the exit code of the process. */
export function addVerbs(parser: Argv, verbs: readonly Verb[]): void {
  for (const { command, describe, load } of verbs) {
    parser.command(
      command,
      describe,
      async (args) => (await load()).builder(args),
      async (flags) => {
        process.exitCode = (await (await load()).handler(showHyphens(flags))) ?? exitCode.ok;
      },
    );
  }
}
