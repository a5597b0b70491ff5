import type { Argv } from 'yargs';
import { loadCapture } from '../capture/capture.ts';
import { ReplayServer } from '../capture/replay-server.ts';
import { scriptOf } from '../capture/script.ts';
import { systemClock } from '../model/clock.ts';
import { IsthmusError } from '../model/errors.ts';
import { formatHostPort, parseHostPort } from '../net/address.ts';
import { examples } from './examples.ts';
import { interrupted, say } from './terminal.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 replay FILE [options]\n\n' +
        'Serves what isthmus capture has written, as the legacy server that said it: byte for byte, and in ' +
        'the order in which it answered. The first stream of the capture to the first sink, and so on; who comes ' +
        'later is told what was said last.',
    )
    .positional('file', { type: 'string', demandOption: true, describe: 'A capture' })
    .option('listen', { type: 'string', default: '127.0.0.1:9901', describe: 'Address' })
    .option('timing', {
      choices: ['kept', 'none'] as const,
      default: 'kept' as const,
      describe: 'none: as fast as the sink answers',
    })
    .option('speed', { type: 'number', default: 1, describe: 'With --timing kept: 2 is twice as fast' })
    .option('with-end', { type: 'boolean', default: false, describe: 'End streams as they ended' })
    .option('loop', { type: 'boolean', default: false, describe: 'Begin anew behind the last stream' })
    .epilogue(
      examples(
        ['isthmus replay habits.capture.gz', 'the server, as it was'],
        ['isthmus replay habits.capture.gz --timing none --listen 127.0.0.1:0', 'all of it at once, on a free port'],
        ['isthmus serve --source replayed=mcp://127.0.0.1:9901', 'and a bridge that asks it'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

export async function handler({ file, listen, timing, speed, withEnd, loop }: Flags): Promise<void> {
  const address = parseHostPort(listen, '--listen');
  if (!(speed > 0 && speed <= 1e6)) {
    throw new IsthmusError('USAGE', '--speed', 'a number above 0 is expected', { hint: 'write for example --speed 2' });
  }
  const signal = interrupted();
  const capture = await loadCapture(file);
  const script = scriptOf(capture);
  if (script.last.messages.length === 0) {
    throw new IsthmusError('CONFIG_INVALID', file, 'its source has said nothing that could be said again');
  }
  if (capture.isCutOff) say(`warning: ${file} is cut off; it is served as far as it goes`);
  const pace = { speed: timing === 'none' ? undefined : speed, withEnd };
  const server = new ReplayServer(script, { ...pace, loop, clock: systemClock, say });
  const port = await server.listen(address);
  try {
    say(`legacy MCP server on mcp://${formatHostPort({ ...address, port })}, as ${capture.header.source} was`);
    await signal;
  } finally {
    await server.stop(2000);
  }
}
