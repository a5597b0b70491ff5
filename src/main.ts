#!/usr/bin/env node
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { packageVersion } from './app.ts';
import * as demo from './cli/demo.ts';
import * as get from './cli/get.ts';
import * as legacyServer from './cli/legacy-server.ts';
import * as serve from './cli/serve.ts';
import * as status from './cli/status.ts';
import { say, sayError } from './cli/terminal.ts';
import { exitCode, IsthmusError } from './model/errors.ts';

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe (head, less) has seen enough.
  process.exit(error.code === 'EPIPE' ? exitCode.ok : exitCode.environment);
});
process.on('uncaughtException', (error) => {
  say(`isthmus: this is a bug of Isthmus, please report it: ${error.stack ?? String(error)}`);
  process.exit(exitCode.bug);
});

/** Runs a verb and keeps its exit code. */
const run =
  <F>(handler: (flags: F) => Promise<number | void>) =>
  async (flags: F): Promise<void> => {
    process.exitCode = (await handler(flags)) ?? exitCode.ok;
  };

const parser = yargs(hideBin(process.argv))
  .scriptName('isthmus')
  .usage('$0 <command>\n\nBridge from legacy MCP (Mesh Configuration Protocol) servers to istiod 1.9 and newer.')
  .command(serve.command, serve.describe, serve.builder, run(serve.handler))
  .command(get.command, get.describe, get.builder, run(get.handler))
  .command(status.command, status.describe, status.builder, run(status.handler))
  .command(legacyServer.command, legacyServer.describe, legacyServer.builder, run(legacyServer.handler))
  .command(demo.command, demo.describe, demo.builder, run(demo.handler))
  .demandCommand(1, 'give a command')
  .strict()
  .version(packageVersion())
  .help()
  .alias('h', 'help')
  .epilogue('Exit codes: 0 ok, 1 findings, 2 usage, 3 environment, 70 a bug of Isthmus')
  .wrap(Math.min(110, process.stdout.columns ?? 100))
  .exitProcess(false)
  .fail((message, error) => {
    throw error ?? new IsthmusError('USAGE', 'command line', message, { hint: 'see --help' });
  });

try {
  await parser.parseAsync();
} catch (error) {
  sayError(error);
  process.exitCode = error instanceof IsthmusError ? error.exitCode : exitCode.bug;
  if (!(error instanceof IsthmusError)) say(error instanceof Error ? (error.stack ?? '') : '');
}
