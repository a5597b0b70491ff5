import type { Argv } from 'yargs';
import { outliveHangups } from './hangup.ts';

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

const module = async <Flags>(file: Promise<VerbModule<Flags>>): Promise<VerbModule<never>> =>
  (await file) as unknown as VerbModule<never>;

export const verbs: readonly Verb[] = [
  {
    command: 'serve',
    describe: 'Run the bridge',
    load() {
      // Before anything else of it is loaded.
      outliveHangups();
      return module(import('./serve.ts'));
    },
  },
  { command: 'get <address>', describe: 'Show what an address serves', load: () => module(import('./get.ts')) },
  { command: 'diff <a> <b>', describe: 'Compare what two addresses serve', load: () => module(import('./diff.ts')) },
  {
    command: 'status [url]',
    describe: 'Show how a running bridge is doing',
    load: () => module(import('./status.ts')),
  },
  {
    command: 'guard [action]',
    describe: 'Show removals that a running bridge holds, or release them',
    load: () => module(import('./guard.ts')),
  },
  {
    command: 'check [addresses..]',
    describe: 'Look for what is wrong, before serve and next to it',
    load: () => module(import('./check.ts')),
  },
  {
    command: 'capture <from>',
    describe: 'Write down what a legacy server says',
    load: () => module(import('./capture.ts')),
  },
  {
    command: 'replay <file>',
    describe: 'Serve what was captured, as a legacy MCP server',
    load: () => module(import('./replay.ts')),
  },
  {
    command: 'legacy-server <folder>',
    describe: 'Serve a folder of Istio YAML as a legacy MCP server',
    load: () => module(import('./legacy-server.ts')),
  },
  {
    command: 'demo',
    describe: 'A self-contained run: legacy server, bridge, and a client in istiod’s place',
    load: () => module(import('./demo.ts')),
  },
];
