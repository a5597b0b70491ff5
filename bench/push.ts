/** `npm run bench`: what a push costs in Isthmus, in a byte relay, and in a bridge that decodes and encodes. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { packageRoot } from '../src/model/package.ts';
import { type MiddleName, middleNames, whyAbsent } from './support/middles.ts';
import { goal, machineLine, missed, note, render } from './support/report.ts';
import { describeMachine, summarise } from './support/results.ts';
import { runTrial, type Trial } from './support/trial.ts';

const exitCode = { ok: 0, findings: 1, usage: 2, environment: 3 } as const;

const defaultSizes = [1000, 10_000, 100_000];
const defaultOut = join(packageRoot(), 'bench/results/push.json');

const say = (text: string) => process.stderr.write(`${text}\n`);

const parser = yargs(hideBin(process.argv))
  .scriptName('npm run bench --')
  .usage("$0 [options]\n\nMeasures a push from a legacy source through a bridge to a client in istiod's place.")
  .option('sizes', {
    type: 'string',
    requiresArg: true,
    describe: 'Numbers of ServiceEntries, with commas between',
    default: defaultSizes.join(','),
    coerce: parseSizes,
  })
  .option('rounds', { type: 'number', requiresArg: true, default: 5, describe: 'Fresh starts of each middle per size' })
  .option('only', {
    type: 'string',
    requiresArg: true,
    describe: `Middles to run, with commas between: ${middleNames.join(', ')} [default: all]`,
    coerce: parseMiddles,
  })
  .option('out', {
    type: 'string',
    requiresArg: true,
    describe: 'File for all samples [default: bench/results/push.json, where nothing is left out]',
  })
  .option('check', {
    type: 'boolean',
    default: false,
    describe: `Exit 1 where Isthmus needs more than ${goal.limit} × protobufjs at ${goal.size} resources`,
  })
  .check(({ rounds }) => {
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: write a whole number from 1 on');
    return true;
  })
  .example('$0 --sizes 10000 --rounds 1', 'a quick look')
  .epilogue('Exit codes: 0 ok, 1 --check found something, 2 usage, 3 it could not be measured')
  .strict()
  .version(false)
  .help()
  .alias('h', 'help')
  .wrap(110)
  .exitProcess(false)
  .fail((message, error) => {
    throw new UsageError(message ?? error.message);
  });

class UsageError extends Error {}

function parseSizes(text: string): number[] {
  const sizes = text.split(',').map(Number);
  if (sizes.every((size) => Number.isInteger(size) && size >= 1 && size <= 500_000)) return sizes;
  throw new UsageError(`--sizes: "${text}" should be numbers from 1 to 500000, for example 1000,10000`);
}

function parseMiddles(text: string): MiddleName[] {
  const names = text.split(',');
  const unknown = names.find((name) => !(middleNames as readonly string[]).includes(name));
  if (unknown === undefined) return middleNames.filter((name) => names.includes(name));
  throw new UsageError(`--only: "${unknown}" is none of ${middleNames.join(', ')}`);
}

type Flags = Awaited<ReturnType<typeof parser.parseAsync>>;

/** The middles that are asked for and are there. */
function available(asked: readonly MiddleName[]): MiddleName[] {
  return asked.filter((name) => {
    const why = whyAbsent(name);
    if (why !== undefined) say(`${name} is left out: ${why}`);
    return why === undefined;
  });
}

/** All middles take turns within a round, and each round begins with another one. */
async function runAll(middles: readonly MiddleName[], sizes: readonly number[], rounds: number): Promise<Trial[]> {
  const trials: Trial[] = [];
  for (const size of sizes) {
    for (let round = 0; round < rounds; round++) {
      const first = round % middles.length;
      for (const middle of [...middles.slice(first), ...middles.slice(0, first)]) {
        say(`${size} resources, round ${round + 1} of ${rounds}: ${middle}`);
        trials.push(await runTrial(middle, size));
      }
    }
  }
  return trials;
}

async function main({ sizes, rounds, only, out, check }: Flags): Promise<number> {
  const middles = available(only ?? middleNames);
  const comparable = middles.includes('isthmus') && middles.includes('protobufjs') && sizes.includes(goal.size);
  if (check && !comparable) {
    throw new UsageError(`--check compares isthmus with protobufjs at ${goal.size} resources; one of them is left out`);
  }
  const machine = describeMachine();
  const results = summarise(await runAll(middles, sizes, rounds));
  process.stdout.write(`${render(results)}\n${note}\n${machineLine(machine)}\n`);

  const whole = middles.length === middleNames.length && defaultSizes.every((size) => sizes.includes(size));
  const file = out ?? (whole ? defaultOut : undefined);
  if (file === undefined) {
    say('Not saved, because something is left out; --out FILE saves it.');
  } else {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, `${JSON.stringify({ machine, rounds, note, results }, undefined, 2)}\n`);
    say(`All samples: ${relative(process.cwd(), file)}`);
  }
  if (!check) return exitCode.ok;
  const misses = missed(results);
  for (const miss of misses) say(`--check: ${miss}`);
  return misses.length === 0 ? exitCode.ok : exitCode.findings;
}

try {
  const flags = await parser.parseAsync();
  if (!('help' in flags && flags.help)) process.exitCode = await main(flags);
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof UsageError) say('  see --help');
  process.exitCode = error instanceof UsageError ? exitCode.usage : exitCode.environment;
}
