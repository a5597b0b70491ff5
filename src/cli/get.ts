import type { Argv } from 'yargs';
import { exitCode, IsthmusError } from '../model/errors.ts';
import { type Kind, kinds } from '../model/kinds.ts';
import { parseHostPort } from '../net/address.ts';
import { toYaml } from '../schema/object.ts';
import {
  type Reader,
  type Reading,
  readAdmin,
  readLegacy,
  readXds,
  type Served,
  type ServedKind,
} from './get-readers.ts';
import { interrupted, print, say, table } from './terminal.ts';

export const command = 'get <address>';
export const describe = 'Show what an address serves';

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
    .option('output', {
      alias: 'o',
      choices: ['table', 'json', 'yaml'] as const,
      default: 'table' as const,
      describe: 'Form',
    })
    .option('watch', {
      alias: 'w',
      type: 'boolean',
      default: false,
      describe: 'Go on, and print changes (xds:// and mcp://)',
    })
    .option('timeout', { type: 'number', default: 10, describe: 'Seconds to wait for all kinds' })
    .example('$0 get xds://127.0.0.1:15410', 'what istiod would receive')
    .example('$0 get http://127.0.0.1:15480 --type ServiceEntry -o yaml', 'the same, from the admin port');
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns the exit code: 3 where the address did not answer for every kind. */
export async function handler(flags: Flags): Promise<number> {
  const wanted = kindsOf(flags.type);
  const open = openerOf(flags.address);
  if (flags.watch && /^https?:/.test(flags.address)) {
    throw new IsthmusError('USAGE', '--watch', 'is for xds:// and mcp:// only');
  }
  const answers = new Map<string, ServedKind>();
  const matches = ({ namespace, name }: Served) =>
    flags.name === undefined || `${namespace}/${name}`.includes(flags.name);
  let watching = false;
  let failure: IsthmusError | undefined;
  let settle = () => {};
  const settled = new Promise<void>((resolve) => {
    settle = resolve;
  });
  let reader: Reader | undefined;
  const timer = setTimeout(() => settle(), flags.timeout * 1000);
  try {
    reader = open(wanted, {
      onKind(served) {
        if (watching) printChanges(answers.get(served.kind.id), served, matches);
        answers.set(served.kind.id, served);
        if (answers.size === wanted.length) settle();
      },
      onEnd(error) {
        failure = error;
        settle();
      },
    });
    await settled;
    clearTimeout(timer);
    if (failure !== undefined && answers.size === 0) throw failure;
    const resources = wanted.flatMap(({ id }) => answers.get(id)?.resources ?? []).filter(matches);
    await printAll(resources, flags.output);
    const silent = wanted.filter(({ id }) => !answers.has(id)).map(({ kind }) => kind);
    if (silent.length > 0)
      say(`no answer for ${silent.join(', ')}: a source has not spoken of it yet (see isthmus status)`);
    if (flags.watch && failure === undefined) {
      watching = true;
      await Promise.race([interrupted(), new Promise<void>((resolve) => (settle = resolve))]);
      if (failure !== undefined) throw failure;
      return exitCode.ok;
    }
    return silent.length > 0 ? exitCode.environment : exitCode.ok;
  } finally {
    clearTimeout(timer);
    reader?.close();
  }
}

function kindsOf(names: readonly string[] | undefined): readonly Kind[] {
  if (names === undefined) return kinds;
  return names.map((name) => {
    const kind = kinds.find((one) => one.kind.toLowerCase() === name.toLowerCase());
    if (kind !== undefined) return kind;
    throw new IsthmusError('USAGE', '--type', `"${name}" is no kind of istiod's`, {
      hint: `known: ${kinds.map((one) => one.kind).join(', ')}`,
    });
  });
}

function openerOf(address: string): (wanted: readonly Kind[], reading: Reading) => Reader {
  const scheme = /^([a-z]+):\/\/(.*)$/i.exec(address);
  const rest = scheme?.[2]?.replace(/\/$/, '') ?? '';
  switch (scheme?.[1]?.toLowerCase()) {
    case 'xds': {
      const target = parseHostPort(rest, 'ADDR');
      return (wanted, reading) => readXds(target, wanted, reading);
    }
    case 'mcp': {
      const target = parseHostPort(rest, 'ADDR');
      say('warning: a second connection to a live legacy server can take its updates from the bridge, or crash it');
      return (wanted, reading) =>
        readLegacy(
          target,
          wanted.filter(({ collection }) => collection !== undefined),
          emptyWhereNoCollection(wanted, reading),
        );
    }
    case 'http':
    case 'https': {
      const url = new URL(address);
      return (wanted, reading) => readAdmin(url, wanted, reading);
    }
    default:
      throw new IsthmusError('USAGE', 'ADDR', `"${address}" has no scheme that is known`, {
        hint: 'write xds://HOST:PORT, http://HOST:PORT or mcp://HOST:PORT',
      });
  }
}

/** Legacy MCP never had some kinds; nothing is missing when nothing comes of them. */
function emptyWhereNoCollection(wanted: readonly Kind[], reading: Reading): Reading {
  queueMicrotask(() => {
    for (const kind of wanted) if (kind.collection === undefined) reading.onKind({ kind, resources: [] });
  });
  return reading;
}

async function printAll(resources: readonly Served[], output: 'table' | 'json' | 'yaml'): Promise<void> {
  if (output === 'table') {
    if (resources.length === 0) say('no resources');
    else print(table(['KIND', 'NAMESPACE', 'NAME', 'VERSION', 'BYTES'], resources.map(rowOf)));
    return;
  }
  const objects: object[] = [];
  for (const { object } of resources) objects.push(await object());
  print(output === 'json' ? JSON.stringify(objects, undefined, 2) : toYaml(objects).trimEnd());
}

function rowOf({ kind, namespace, name, version, bytes }: Served): string[] {
  return [kind, namespace, name, version, String(bytes)];
}

function printChanges(before: ServedKind | undefined, after: ServedKind, matches: (one: Served) => boolean): void {
  const keyOf = ({ namespace, name }: Served) => `${namespace}/${name}`;
  const old = new Map(before?.resources.map((one) => [keyOf(one), one]));
  const time = new Date().toISOString().slice(11, 19);
  const line = (sign: string, { kind, namespace, name, version }: Served) =>
    print(`${time} ${sign} ${kind} ${namespace}/${name} ${version}`);
  for (const one of after.resources.filter(matches)) {
    const known = old.get(keyOf(one));
    if (known === undefined) line('added  ', one);
    else if (known.version !== one.version) line('changed', one);
    old.delete(keyOf(one));
  }
  for (const one of [...old.values()].filter(matches)) line('removed', one);
}
