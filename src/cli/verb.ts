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

/** Makes a parser take these verbs; the one that runs sets the exit code of the process. */
export function addVerbs(parser: Argv, verbs: readonly Verb[]): void {
  for (const { command, describe, load } of verbs) {
    parser.command(
      command,
      describe,
      async (args) => (await load()).builder(args),
      async (flags) => {
        process.exitCode = (await (await load()).handler(flags)) ?? exitCode.ok;
      },
    );
  }
}
