#!/usr/bin/env node
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { endAsFirstProcess } from './cli/first-process.ts';
import { say, sayError } from './cli/terminal.ts';
import { addVerbs, hideHyphens } from './cli/verb.ts';
import { verbs } from './cli/verbs.ts';
import { exitCode, IsthmusError } from './model/errors.ts';
import { packageVersion } from './model/package.ts';

endAsFirstProcess();
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  // The reader of a pipe (head, less) has seen enough.
  process.exit(error.code === 'EPIPE' ? exitCode.ok : exitCode.environment);
});
// Nobody reads the remarks any more: no reason to stop.
process.stderr.on('error', () => {});
process.on('uncaughtException', (error) => {
  say(`isthmus: this is a bug of Isthmus, please report it: ${error.stack ?? String(error)}`);
  process.exit(exitCode.bug);
});

const words = hideBin(process.argv);
// yargs makes the help of a verb at each start, whoever asks for it: breaking its lines is most of that.
const asksForHelp = words.some((word) => /^-(-help|[a-z]*h)/i.test(word));

const parser = yargs(hideHyphens(words))
  .scriptName('isthmus')
  .usage('$0 <command>\n\nBridge from legacy MCP (Mesh Configuration Protocol) servers to istiod 1.9 and newer.')
  .demandCommand(1, 'give a command')
  .strict()
  .version(packageVersion())
  .help()
  .alias('h', 'help')
  .epilogue('Exit codes: 0 ok, 1 findings, 2 usage, 3 environment, 70 a bug of Isthmus')
  .wrap(asksForHelp ? Math.min(110, process.stdout.columns || 100) : null)
  .exitProcess(false)
  .fail((message, error: Error | undefined) => {
    throw error ?? usage(message);
  });

function usage(message: string): IsthmusError {
  return new IsthmusError('USAGE', 'command line', message, { hint: 'see --help' });
}

addVerbs(parser, verbs);

try {
  await parser.parseAsync();
} catch (thrown) {
  // Some mistakes of the command line come as an error of yargs' own.
  const error = thrown instanceof Error && thrown.name === 'YError' ? usage(thrown.message) : thrown;
  sayError(error);
  process.exitCode = error instanceof IsthmusError ? error.exitCode : exitCode.bug;
  if (!(error instanceof IsthmusError)) say(error instanceof Error ? (error.stack ?? '') : '');
}
