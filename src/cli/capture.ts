import { randomBytes } from 'node:crypto';
import type { Argv } from 'yargs';
import { CaptureWriter, readCaptureFile } from '../capture/capture-file.ts';
import { type CaptureHeader, type CaptureRecord, captureLimits, type StopRecord } from '../capture/format.ts';
import { Recorder } from '../capture/recorder.ts';
import { Redactor } from '../capture/redact.ts';
import { parseDuration, parseSize } from '../config/duration.ts';
import { defaultSourceProfile } from '../legacy/source-profile.ts';
import { systemClock } from '../model/clock.ts';
import { exitCode, IsthmusError } from '../model/errors.ts';
import { type Collection, knownCollections } from '../model/kinds.ts';
import { packageVersion } from '../model/package.ts';
import { type HostPort, parseHostPort } from '../net/address.ts';
import { defaultBackoff } from '../net/backoff.ts';
import { examples } from './examples.ts';
import { interrupted, say } from './terminal.ts';

/** Largest message of a source that is taken, in bytes; {@link captureLimits} has room for it. */
const maxMessageBytes = 256 << 20;

/** Longest time that a timer can take: about 24 days. */
const maxDurationMs = 2 ** 31 - 1;

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 capture FROM -o FILE [options]\n\n' +
        'Writes down all that a legacy server and a sink say to each other, for isthmus replay and isthmus diff:\n' +
        '  mcp://HOST:PORT    asks the server itself, with --direct, until Ctrl-C or --duration\n' +
        '  FILE               a capture that is there already, to be redacted\n\n' +
        'What it writes may hold secrets: --redact takes names, hosts, addresses, labels and annotations out.\n' +
        'Exits with 1 where the server said nothing.',
    )
    .positional('from', { type: 'string', demandOption: true, describe: 'mcp://HOST:PORT, or a capture' })
    .option('output', {
      alias: 'o',
      type: 'string',
      demandOption: true,
      describe: 'File to write, compressed where its name ends with .gz',
    })
    .option('direct', {
      type: 'boolean',
      default: false,
      describe: 'Dial mcp://, although a second client can harm a live legacy server',
    })
    .option('collections', {
      type: 'string',
      describe: 'Collections to ask for, with commas between [default: all that istiod has a place for]',
    })
    .option('duration', { type: 'string', describe: 'Stop after so long, for example 10m' })
    .option('max-size', { type: 'string', default: '1GiB', describe: 'Stop before the file is larger' })
    .option('incremental', { type: 'boolean', default: false, describe: 'Ask for changes instead of whole states' })
    .option('sink-node-id', { type: 'string', default: '', describe: 'SinkNode.id of the requests' })
    .option('redact', { type: 'boolean', default: false, describe: 'Replace what is whose by pseudonyms' })
    .epilogue(
      examples(
        [
          'isthmus capture mcp://127.0.0.1:9901 --direct --duration 10m -o habits.capture.gz',
          'ten minutes of a server',
        ],
        ['isthmus capture habits.capture.gz --redact -o shared.capture.gz', 'what can be given away'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** Where records go, and what has gone there. */
type Sink = {
  write(record: CaptureRecord): Promise<boolean>;
  readonly counts: { readonly streams: number; readonly messages: number; readonly bytes: number };
  /** Gives the file its name. */
  finish(): Promise<void>;
  /** Leaves what is there; nothing where nothing was said. */
  giveUp(): Promise<void>;
};

/** @returns 1 where nothing was said. */
export async function handler(flags: Flags): Promise<number> {
  const address = addressOf(flags.from);
  const maxBytes = parseSize(flags.maxSize);
  if (maxBytes === undefined || maxBytes === 0) throw usage('--max-size', `"${flags.maxSize}" is no size`, '100MiB');
  if (address === undefined) return redactFile(flags, maxBytes);
  if (!flags.direct) {
    throw new IsthmusError('USAGE', flags.from, 'a legacy server is asked with --direct only', {
      hint:
        'a second client can crash a live one, or take its updates from the bridge: ' +
        'stop the bridge or the Pilot that reads it first, or capture a second copy of the server',
    });
  }
  return record(flags, address, maxBytes);
}

async function record(flags: Flags, address: HostPort, maxBytes: number): Promise<number> {
  const durationMs = durationOf(flags.duration);
  const collections = collectionsOf(flags.collections);
  const { incremental, sinkNodeId, from, output } = flags;
  const startedAt = new Date().toISOString();
  const header = { isthmus: packageVersion(), startedAt, source: from, collections, incremental, redacted: false };
  const sink = await openSink(output, header, maxBytes, flags.redact);
  say('warning: a second connection to a live legacy server can take its updates from the bridge, or crash it');
  const abort = new AbortController();
  const end: { why: StopRecord['why'] } = { why: 'interrupted' };
  const stop = (why: StopRecord['why']) => {
    if (!abort.signal.aborted) end.why = why;
    abort.abort();
  };
  const recorder = new Recorder({
    address,
    collections,
    profile: { ...defaultSourceProfile, incremental, sinkNodeId },
    maxMessageBytes,
    backoff: defaultBackoff,
    clock: systemClock,
    random: Math.random,
    write: async (one) => {
      // Behind the end there is nothing but how it came about.
      if (abort.signal.aborted && one.type !== 'end') return;
      if (!(await sink.write(one))) stop('size');
    },
    say,
  });
  void interrupted().then(() => stop('interrupted'));
  // Also keeps the process alive between two streams.
  const timer = setTimeout(() => stop('duration'), durationMs ?? maxDurationMs);
  try {
    say(`capturing ${from} to ${output}${durationMs === undefined ? ' until Ctrl-C' : ''}`);
    await recorder.run(abort.signal);
    await sink.write({ type: 'stop', at: recorder.elapsedMs, why: end.why, refused: recorder.refused });
    await sink.finish();
  } catch (error) {
    await sink.giveUp();
    throw error;
  } finally {
    clearTimeout(timer);
  }
  if (end.why === 'size') say(`stopped: ${output} has reached --max-size ${flags.maxSize}`);
  return tell(output, sink);
}

/** Reads a capture, and writes it without what is whose. */
async function redactFile(flags: Flags, maxBytes: number): Promise<number> {
  if (!flags.redact) {
    throw new IsthmusError('USAGE', flags.from, 'a capture is read to be redacted', {
      hint: 'give --redact, or mcp://HOST:PORT to capture a server',
    });
  }
  let sink: Sink | undefined;
  try {
    const isCutOff = await readCaptureFile(flags.from, {
      async onHeader(header) {
        sink = await openSink(flags.output, header, maxBytes, true);
      },
      async onRecord(one) {
        if ((await sink?.write(one)) !== false) return;
        throw new IsthmusError('USAGE', '--max-size', `${flags.maxSize} is not enough for it`);
      },
    });
    if (isCutOff) say(`warning: ${flags.from} is cut off; it is redacted as far as it goes`);
    await sink?.finish();
    return sink === undefined ? exitCode.findings : tell(flags.output, sink);
  } catch (error) {
    await sink?.giveUp();
    throw error;
  }
}

async function openSink(path: string, header: CaptureHeader, maxBytes: number, redacts: boolean): Promise<Sink> {
  const redactor = redacts ? new Redactor(randomBytes(32)) : undefined;
  const writer = await CaptureWriter.create(path, redactor?.header(header) ?? header, maxBytes);
  const counts = { streams: 0, messages: 0, bytes: 0 };
  return {
    counts,
    async write(one) {
      if (!(await writer.write(redactor?.record(one) ?? one))) return false;
      if (one.type === 'open') counts.streams++;
      else if (one.type === 'resources') {
        counts.messages++;
        counts.bytes += one.bytes.length;
      }
      return true;
    },
    finish: () => writer.finish(),
    giveUp: () => (counts.messages === 0 ? writer.discard() : writer.close()),
  };
}

function tell(path: string, { counts: { streams, messages, bytes } }: Sink): number {
  const count = (number: number, what: string) => `${number} ${what}${number === 1 ? '' : 's'}`;
  say(`${path}: ${count(streams, 'stream')}, ${count(messages, 'message')} of ${bytes} bytes`);
  if (messages > 0) return exitCode.ok;
  say('the server has said nothing');
  return exitCode.findings;
}

/** Undefined for what is no address. */
function addressOf(from: string): HostPort | undefined {
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(.*?)\/?$/i.exec(from) ?? [];
  if (scheme === '') return undefined;
  if (scheme.toLowerCase() === 'mcp') return parseHostPort(rest, 'FROM');
  throw new IsthmusError('USAGE', 'FROM', `${scheme}:// can't be captured`, {
    hint: 'write mcp://HOST:PORT, or the name of a capture with --redact',
  });
}

function durationOf(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const ms = parseDuration(text);
  if (ms !== undefined && ms > 0 && ms <= maxDurationMs) return ms;
  throw usage('--duration', `"${text}" is no duration`, '10m');
}

function collectionsOf(text: string | undefined): readonly Collection[] {
  if (text === undefined) return knownCollections;
  const names = [...new Set(text.split(',').map((name) => name.trim()))];
  if (names.every((name) => name !== '') && names.length <= captureLimits.list) return names;
  throw usage('--collections', 'names of collections are expected, with commas between', knownCollections[0] ?? '');
}

function usage(flag: string, problem: string, example: string): IsthmusError {
  return new IsthmusError('USAGE', flag, problem, { hint: `write for example ${flag} ${example}` });
}
