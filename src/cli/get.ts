import type { Argv } from 'yargs';
import type { ChangeView, QuarantineView } from '../admin/views.ts';
import { exitCode, IsthmusError } from '../model/errors.ts';
import { type Kind, kinds as allKinds } from '../model/kinds.ts';
import { parseHostPort } from '../net/address.ts';
import { pageRows, readAdminPage, readAdminResources } from './admin-client.ts';
import { changesTable } from './changes-table.ts';
import { examples } from './examples.ts';
import { quarantineTable } from './quarantine-table.ts';
import { type Reader, type Reading, readAdmin, type Served, type ServedKind, silenceError } from './get-readers.ts';
import { adminUrlOf, millisecondsOf, outputOption } from './arguments.ts';
import { interrupted, oneLine, print, say, table } from './terminal.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 get ADDR [options]\n\nAsks as istiod does (xds://), asks a bridge (http://), or asks as an old Pilot (mcp://).',
    )
    .positional('address', {
      type: 'string',
      demandOption: true,
      describe: 'xds://HOST:PORT, http://HOST:PORT or mcp://HOST:PORT',
    })
    .option('type', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Only this kind, for example ServiceEntry (repeatable)',
    })
    .option('name', { type: 'string', describe: 'Only resources whose namespace/name contains this text' })
    .option('quarantined', {
      type: 'boolean',
      default: false,
      describe: 'Only what is not sent as it came, and why (http:// only)',
    })
    .option('changes', {
      type: 'boolean',
      default: false,
      describe: 'What has changed lately, by which source, and why; newest first (http:// only)',
    })
    .option('output', outputOption)
    .option('watch', {
      alias: 'w',
      type: 'boolean',
      default: false,
      describe: 'Go on, and print changes (xds:// and mcp://)',
    })
    .option('timeout', { type: 'number', default: 10, describe: 'Seconds to wait for all kinds' })
    .epilogue(
      examples(
        ['isthmus get xds://127.0.0.1:15410', 'what istiod would receive'],
        ['isthmus get http://127.0.0.1:15480 --type ServiceEntry -o yaml', 'the same, from the admin port'],
        ['isthmus get http://127.0.0.1:15480 --quarantined', 'what is wrong with resources'],
        ['isthmus get http://127.0.0.1:15480 --changes --name orders', 'who added, changed or removed it, and when'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** What is asked, and how. */
type Question = { readonly kinds: readonly Kind[]; readonly open: (reading: Reading) => Reader };

/** @returns the exit code: 3 where the address did not answer for every kind. */
export async function handler(flags: Flags): Promise<number> {
  if (flags.quarantined) return printQuarantined(flags);
  if (flags.changes) return printJournal(flags);
  const { kinds, open } = await questionOf(flags.address, kindsOf(flags.type));
  if (flags.watch) requireWatchable(flags);
  const timeoutMs = millisecondsOf(flags.timeout, '--timeout');
  const answers = new Map<string, ServedKind>();
  const matches = ({ namespace, name }: Served) =>
    flags.name === undefined || `${namespace}/${name}`.includes(flags.name);
  let watching = false;
  let failure: IsthmusError | undefined;
  let reader: Reader | undefined;
  let answered = () => {};
  let ended = () => {};
  const allAnswered = new Promise<void>((resolve) => {
    answered = resolve;
  });
  const over = new Promise<void>((resolve) => {
    ended = resolve;
  });
  const timer = setTimeout(answered, timeoutMs);
  try {
    reader = open({
      onKind(served) {
        if (watching) printChanges(answers.get(served.kind.id), served, matches);
        answers.set(served.kind.id, served);
        if (answers.size === kinds.length) answered();
      },
      onEnd(error) {
        failure = error;
        answered();
        ended();
      },
    });
    await allAnswered;
    clearTimeout(timer);
    const silent = kinds.filter(({ id }) => !answers.has(id)).map(({ kind }) => kind);
    if (failure !== undefined && silent.length > 0) throw failure;
    if (silent.length === kinds.length && !flags.watch) throw silenceError(flags.address, silent, kinds.length);
    const resources = kinds.flatMap(({ id }) => answers.get(id)?.resources ?? []).filter(matches);
    await printAll(resources, flags.output);
    if (silent.length > 0)
      say(`no answer for ${silent.join(', ')}: a source has not spoken of it yet (see isthmus status)`);
    if (flags.watch) {
      watching = true;
      await Promise.race([interrupted(), over]);
      if (failure !== undefined) throw failure;
      return exitCode.ok;
    }
    return silent.length > 0 ? exitCode.environment : exitCode.ok;
  } finally {
    clearTimeout(timer);
    reader?.close();
  }
}

/** @returns 1 where something is quarantined. */
async function printQuarantined({ address, type, name = '', output, watch, timeout }: Flags): Promise<number> {
  requireBridge('--quarantined', address, watch);
  const kinds = kindsOf(type).map(({ kind }) => kind);
  const timeoutMs = millisecondsOf(timeout, '--timeout');
  const all = (await readAdminResources(adminUrlOf(address, 'ADDR'), '/debug/quarantine', {
    timeoutMs,
  })) as QuarantineView[];
  const found = all.filter(({ kind, resource }) => kinds.includes(kind) && resource.includes(name));
  if (output === 'json') print(JSON.stringify(found, undefined, 2));
  else if (output === 'yaml') print((await import('yaml')).stringify(found, { lineWidth: 0 }).trimEnd());
  else if (found.length === 0) say('nothing is quarantined');
  else print(quarantineTable(found));
  return found.length > 0 ? exitCode.findings : exitCode.ok;
}

/** All that a bridge keeps of what has changed. */
async function printJournal({ address, type, name = '', output, watch, timeout }: Flags): Promise<number> {
  requireBridge('--changes', address, watch);
  const kinds = kindsOf(type).map(({ kind }) => kind);
  const path = `/debug/changes?limit=${pageRows}&name=${encodeURIComponent(name)}`;
  const url = adminUrlOf(address, 'ADDR');
  const page = (await readAdminPage(url, path, { timeoutMs: millisecondsOf(timeout, '--timeout') })) as
    | { readonly changes?: readonly ChangeView[] }
    | undefined;
  if (page?.changes === undefined) {
    const hint = 'a bridge of this version has it, on its --admin-listen';
    throw new IsthmusError('WRONG_PROTOCOL', url.origin, 'it keeps no changes', { hint });
  }
  const found = page.changes.filter(({ kind }) => kinds.includes(kind));
  if (output === 'json') print(JSON.stringify(found, undefined, 2));
  else if (output === 'yaml') print((await import('yaml')).stringify(found, { lineWidth: 0 }).trimEnd());
  else if (found.length === 0) say('nothing of that has changed since the bridge was started');
  else print(changesTable(found));
  return exitCode.ok;
}

function requireBridge(flag: string, address: string, watch: boolean): void {
  if (!/^https?:/i.test(address)) {
    throw new IsthmusError('USAGE', flag, 'is for http:// only: the bridge itself is asked');
  }
  if (watch) throw new IsthmusError('USAGE', '--watch', 'is for xds:// and mcp:// only');
}

function requireWatchable({ address, output }: Flags): void {
  if (/^https?:/i.test(address)) throw new IsthmusError('USAGE', '--watch', 'is for xds:// and mcp:// only');
  if (output !== 'table') throw new IsthmusError('USAGE', '--watch', `prints lines; it has no -o ${output}`);
}

/**
 * The kinds that --type names; all where it is not given.
 * @throws IsthmusError USAGE
 */
export function kindsOf(names: readonly string[] | undefined): readonly Kind[] {
  if (names === undefined) return allKinds;
  const found = names.map((name) => {
    const kind = allKinds.find((one) => one.kind.toLowerCase() === name.toLowerCase());
    if (kind !== undefined) return kind;
    throw new IsthmusError('USAGE', '--type', `"${name}" is no kind of istiod's`, {
      hint: `known: ${allKinds.map((one) => one.kind).join(', ')}`,
    });
  });
  return [...new Set(found)];
}

async function questionOf(address: string, kinds: readonly Kind[]): Promise<Question> {
  const scheme = /^([a-z]+):\/\/(.*)$/i.exec(address);
  const rest = scheme?.[2]?.replace(/\/$/, '') ?? '';
  switch (scheme?.[1]?.toLowerCase()) {
    case 'xds': {
      const target = parseHostPort(rest, 'ADDR');
      const { readXds } = await import('./get-xds.ts');
      return { kinds, open: (reading) => readXds(target, kinds, reading) };
    }
    case 'mcp': {
      const target = parseHostPort(rest, 'ADDR');
      const carried = kinds.filter(({ collection }) => collection !== undefined);
      if (carried.length === 0) {
        throw new IsthmusError('USAGE', '--type', `legacy MCP has no ${kinds.map(({ kind }) => kind).join(', ')}`);
      }
      say('warning: a second connection to a live legacy server can take its updates from the bridge, or crash it');
      const { readLegacy } = await import('./get-legacy.ts');
      return { kinds: carried, open: (reading) => readLegacy(target, carried, reading) };
    }
    case 'http':
    case 'https': {
      const url = adminUrlOf(address, 'ADDR');
      return { kinds, open: (reading) => readAdmin(url, kinds, reading) };
    }
    default:
      throw new IsthmusError('USAGE', 'ADDR', `"${address}" has no scheme that is known`, {
        hint: 'write xds://HOST:PORT, http://HOST:PORT or mcp://HOST:PORT',
      });
  }
}

async function printAll(resources: readonly Served[], output: 'table' | 'json' | 'yaml'): Promise<void> {
  if (output === 'table') {
    if (resources.length === 0) say('no resources');
    else print(table(['KIND', 'NAMESPACE', 'NAME', 'VERSION', 'BYTES'], resources.map(rowOf)));
    return;
  }
  const objects: object[] = [];
  for (const { object } of resources) objects.push(...[await object()].filter((one) => one !== undefined));
  if (output === 'json') print(JSON.stringify(objects, undefined, 2));
  else print((await import('../schema/object.ts')).toYaml(objects).trimEnd());
}

function rowOf({ kind, namespace, name, version, bytes }: Served): string[] {
  return [kind, namespace, name, version, String(bytes)];
}

function printChanges(before: ServedKind | undefined, after: ServedKind, matches: (one: Served) => boolean): void {
  const keyOf = ({ namespace, name }: Served) => `${namespace}/${name}`;
  const old = new Map(before?.resources.map((one) => [keyOf(one), one]));
  const time = new Date().toISOString().slice(11, 19);
  const line = (sign: string, { kind, namespace, name, version }: Served) =>
    print(oneLine(`${time} ${sign} ${kind} ${namespace}/${name} ${version}`));
  for (const one of after.resources.filter(matches)) {
    const known = old.get(keyOf(one));
    if (known === undefined) line('added  ', one);
    else if (known.version !== one.version || !isSame(known.raw, one.raw)) line('changed', one);
    old.delete(keyOf(one));
  }
  for (const one of [...old.values()].filter(matches)) line('removed', one);
}

function isSame(before: Buffer | undefined, after: Buffer | undefined): boolean {
  return before === undefined || after === undefined || before.equals(after);
}
