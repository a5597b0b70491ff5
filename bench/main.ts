/** `npm run bench`: what Isthmus costs, part by part, and whether it reaches its goals. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { packageRoot } from '../src/model/package.ts';
import { blocked } from './blocked.ts';
import { floor } from './floor.ts';
import { pages } from './pages.ts';
import { protection } from './protection.ts';
import { push } from './push.ts';
import { steps } from './steps.ts';
import { streams } from './streams.ts';
import { watch } from './watch.ts';
import { goals, isMet, sentence, type Verdict } from './support/goals.ts';
import { describeMachine, machineLine } from './support/machine.ts';
import { type MiddleName, middleNames, whyAbsent } from './support/middles.ts';
import type { Outcome, Part } from './support/part.ts';
import { asText } from './support/results.ts';

const exitCode = { ok: 0, findings: 1, usage: 2, environment: 3 } as const;

const parts = { push, streams, steps, blocked, protection, pages, watch, floor } satisfies Record<string, Part>;
type PartName = keyof typeof parts;
const partNames = Object.keys(parts) as PartName[];

const defaultSizes = [1000, 10_000, 100_000];
const defaultFolder = join(packageRoot(), 'bench/results');

const say = (text: string) => process.stderr.write(`${text}\n`);

const parser = yargs(hideBin(process.argv))
  .scriptName('npm run bench --')
  .usage("$0 [options]\n\nMeasures Isthmus between a legacy source and clients in istiod's place.")
  .option('parts', {
    type: 'string',
    requiresArg: true,
    describe: 'Parts to run, with commas between',
    default: partNames.join(','),
    coerce: (text: string) => parseNames('--parts', text, partNames),
  })
  .option('rounds', { type: 'number', requiresArg: true, default: 3, describe: 'Fresh starts of what is measured' })
  .option('sizes', {
    type: 'string',
    requiresArg: true,
    describe: 'push: numbers of ServiceEntries, with commas between',
    default: defaultSizes.join(','),
    coerce: parseSizes,
  })
  .option('only', {
    type: 'string',
    requiresArg: true,
    describe: 'push: middles to run, with commas between',
    default: middleNames.join(','),
    coerce: (text: string) => parseNames('--only', text, middleNames),
  })
  .option('out', {
    type: 'string',
    requiresArg: true,
    describe: 'Folder for all samples, one file for each part [default: bench/results, where nothing is left out]',
  })
  .option('check', { type: 'boolean', default: false, describe: 'Exit 1 where a goal of these parts is missed' })
  .check(({ rounds }) => {
    if (!Number.isInteger(rounds) || rounds < 1) throw new Error('--rounds: write a whole number from 1 on');
    return true;
  })
  .example('$0 --parts push --sizes 10000 --rounds 1', 'a quick look')
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

function parseNames<T extends string>(flag: string, text: string, known: readonly T[]): T[] {
  const names = text.split(',');
  const unknown = names.find((name) => !(known as readonly string[]).includes(name));
  if (unknown === undefined) return known.filter((name) => names.includes(name));
  throw new UsageError(`${flag}: "${unknown}" is none of ${known.join(', ')}`);
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

async function main({ parts: names, rounds, sizes, only, out, check }: Flags): Promise<number> {
  const middles = available(only);
  const hasAllMiddles = middles.length === middleNames.length;
  if (check && names.includes('push') && !(hasAllMiddles && sizes.includes(goals.push.size))) {
    throw new UsageError(`--check compares all middles at ${goals.push.size} resources; something is left out`);
  }
  const machine = describeMachine();
  const verdicts: Verdict[] = [];
  for (const name of names) {
    const part: Part = parts[name];
    const outcome = await part.run({ rounds, sizes, middles, say });
    process.stdout.write(`${outcome.table}\n${part.note}\n\n`);
    verdicts.push(...outcome.verdicts);
    const whole = name !== 'push' || (hasAllMiddles && defaultSizes.every((size) => sizes.includes(size)));
    save(name, out ?? (whole ? defaultFolder : undefined), { machine, rounds, note: part.note }, outcome);
  }
  process.stdout.write(`${machineLine(machine)}\n`);

  if (!check) return exitCode.ok;
  const misses = verdicts.filter((verdict) => !isMet(verdict));
  for (const miss of misses) say(`--check: ${sentence(miss)}`);
  const leftOut = partNames.filter((name) => !names.includes(name));
  if (leftOut.length > 0) say(`--check: not looked at, because left out: ${leftOut.join(', ')}`);
  say(`--check: ${verdicts.length - misses.length} of ${verdicts.length} goals are met`);
  return misses.length === 0 ? exitCode.ok : exitCode.findings;
}

function save(name: PartName, folder: string | undefined, about: object, { results, verdicts }: Outcome): void {
  if (folder === undefined) {
    say(`${name} is not saved, because something is left out; --out FOLDER saves it.`);
    return;
  }
  const file = join(folder, `${name}.json`);
  mkdirSync(folder, { recursive: true });
  writeFileSync(file, asText({ ...about, goals: verdicts, results }));
  say(`All samples: ${relative(process.cwd(), file)}`);
}

try {
  const flags = await parser.parseAsync();
  if (!('help' in flags && flags.help)) process.exitCode = await main(flags);
} catch (error) {
  say(`bench: ${error instanceof Error ? error.message : String(error)}`);
  if (error instanceof UsageError) say('  see --help');
  process.exitCode = error instanceof UsageError ? exitCode.usage : exitCode.environment;
}
