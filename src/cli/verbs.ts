import { outliveHangups } from './hangup.ts';
import { type Verb, verbModule } from './verb.ts';

export const verbs: readonly Verb[] = [
  {
    command: 'serve',
    describe: 'Run the bridge',
    load() {
      // Before anything else of it is loaded.
      outliveHangups();
      return verbModule(import('./serve.ts'));
    },
  },
  { command: 'get <address>', describe: 'Show what an address serves', load: () => verbModule(import('./get.ts')) },
  {
    command: 'diff <a> <b>',
    describe: 'Compare what two addresses serve',
    load: () => verbModule(import('./diff.ts')),
  },
  {
    command: 'status [url]',
    describe: 'Show how a running bridge is doing',
    load: () => verbModule(import('./status.ts')),
  },
  {
    command: 'guard [action]',
    describe: 'Show removals that a running bridge holds, or release them',
    load: () => verbModule(import('./guard.ts')),
  },
  {
    command: 'bundle',
    describe: 'Put what support needs of a running bridge into one file, without secrets',
    load: () => verbModule(import('./bundle.ts')),
  },
  {
    command: 'log-level [component] [level]',
    describe: 'Show what a running bridge logs, or change it',
    load: () => verbModule(import('./log-level.ts')),
  },
  {
    command: 'check [addresses..]',
    describe: 'Look for what is wrong, before serve and next to it',
    load: () => verbModule(import('./check.ts')),
  },
  {
    command: 'migrate',
    describe: 'Move a mesh config from legacy MCP to the bridge, and back',
    load: () => verbModule(import('../../migrate/command.ts')),
  },
  {
    command: 'capture <from>',
    describe: 'Write down what a legacy server says',
    load: () => verbModule(import('./capture.ts')),
  },
  {
    command: 'replay <file>',
    describe: 'Serve what was captured, as a legacy MCP server',
    load: () => verbModule(import('./replay.ts')),
  },
  {
    command: 'legacy-server <folder>',
    describe: 'Serve a folder of Istio YAML as a legacy MCP server',
    load: () => verbModule(import('./legacy-server.ts')),
  },
  {
    command: 'demo',
    describe: 'A self-contained run: legacy server, bridge, and a client in istiod’s place',
    load: () => verbModule(import('./demo.ts')),
  },
];
