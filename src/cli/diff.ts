import type { Argv } from 'yargs';
import { isCaptureFile } from '../capture/capture-file.ts';
import type { NameRules } from '../intake/name.ts';
import { exitCode, IsthmusError } from '../model/errors.ts';
import type { Kind } from '../model/kinds.ts';
import { parseHostPort } from '../net/address.ts';
import { adminUrlOf, millisecondsOf, outputOption } from './arguments.ts';
import { compareItems, type Difference, type Item } from './diff-compare.ts';
import { type DiffReport, exportDiff, isEqual, renderDiff } from './diff-report.ts';
import { examples } from './examples.ts';
import { type FileSide, readSide, type Side } from './diff-sides.ts';
import { kindsOf } from './get.ts';
import { readAdmin } from './get-readers.ts';
import { print, say } from './terminal.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 diff A B [options]\n\n' +
        'Compares what two of these have, resource by resource:\n' +
        '  xds://HOST:PORT    asked as istiod does\n' +
        '  http://HOST:PORT   the admin pages of a bridge\n' +
        '  mcp://HOST:PORT    a legacy server, with --direct\n' +
        '  FOLDER             of Istio YAML\n' +
        '  FILE               that isthmus get -o yaml or -o json has written\n' +
        '  FILE               that isthmus capture has written: what its server had at the end\n' +
        '  FILE               of /debug/configz of an istiod: what it has\n\n' +
        'Equal are resources of the same labels, annotations and spec; versions and create times are\n' +
        'compared with --strict only. Exits with 0 where all is equal, 1 where something differs, 3 where\n' +
        'one of the two does not answer.',
    )
    .positional('a', { type: 'string', demandOption: true, describe: 'What was, or what should be' })
    .positional('b', { type: 'string', demandOption: true, describe: 'What is' })
    .option('type', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Only this kind, for example ServiceEntry (repeatable)',
    })
    .option('name', { type: 'string', describe: 'Only resources whose namespace/name contains this text' })
    .option('strict', { type: 'boolean', default: false, describe: 'Compare versions and create times too' })
    .option('default-namespace', {
      type: 'string',
      default: 'default',
      describe: 'Namespace of names without one, in mcp:// and YAML',
    })
    .option('direct', {
      type: 'boolean',
      default: false,
      describe: 'Dial mcp://, although a second client can harm a live legacy server',
    })
    .option('timeout', { type: 'number', default: 10, describe: 'Seconds to wait for all kinds' })
    .option('output', outputOption)
    .epilogue(
      examples(
        ['isthmus diff habits.capture.gz http://127.0.0.1:15480', 'a server then, and a bridge now'],
        ['isthmus diff examples/services xds://127.0.0.1:15410', 'did everything arrive?'],
        ['isthmus get http://127.0.0.1:15480 -o yaml > before.yaml', 'how it is now'],
        ['isthmus diff before.yaml http://127.0.0.1:15480', 'and what has changed since'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** A side that was read, and what is to be said of it. */
type Read = { readonly side: Side; readonly remarks: readonly string[] };

/** @returns 1 where something differs. */
export async function handler(flags: Flags): Promise<number> {
  const kinds = kindsOf(flags.type);
  const timeoutMs = millisecondsOf(flags.timeout, '--timeout');
  const open = [flags.a, flags.b].map((text) => sideOf(text, kinds, flags.direct, timeoutMs, rulesOf(flags)));
  const [a, b] = await both(open);
  try {
    for (const remark of [...a.remarks, ...b.remarks]) say(`warning: ${remark}`);
    const report = await compareSides(kinds, a.side, b.side, flags.strict, flags.name ?? '');
    if (report.notCompared.length > 0) {
      say(`not compared: ${report.notCompared.join(', ')}; one of the two can't tell of it`);
    }
    print(flags.output === 'table' ? renderDiff(report) : await exportDiff(report, flags.output));
    return isEqual(report) ? exitCode.ok : exitCode.findings;
  } finally {
    a.side.close();
    b.side.close();
  }
}

/** Reads both at once. What one has open is closed where the other fails. */
async function both(open: readonly (() => Promise<Read>)[]): Promise<[Read, Read]> {
  const results = await Promise.allSettled(open.map((read) => read()));
  const failed = results.find((result) => result.status === 'rejected');
  const found = results.flatMap((result) => (result.status === 'fulfilled' ? [result.value] : []));
  if (failed === undefined) return found as [Read, Read];
  for (const { side } of found) side.close();
  throw failed.reason;
}

/** Names are read as a bridge reads them. */
function rulesOf({ defaultNamespace }: Flags): NameRules {
  return { defaultNamespace, namespaceIsExplicit: true };
}

async function compareSides(
  kinds: readonly Kind[],
  a: Side,
  b: Side,
  strict: boolean,
  name: string,
): Promise<DiffReport> {
  const differences: Difference[] = [];
  const notCompared: string[] = [];
  const resources = { a: 0, b: 0 };
  let equal = 0;
  for (const { id, kind } of kinds) {
    const matching = (items: readonly Item[] | undefined) => items?.filter(({ key }) => key.includes(name));
    const [left, right] = [matching(a.items.get(id)), matching(b.items.get(id))];
    if (left === undefined || right === undefined) {
      if ((left ?? right ?? []).length > 0) notCompared.push(kind);
      continue;
    }
    resources.a += left.length;
    resources.b += right.length;
    const found = await compareItems(kind, left, right, strict);
    for (const difference of found.differences) differences.push(difference);
    equal += found.equal;
  }
  const sideReport = ({ address, unreadable }: Side, count: number) => ({
    address,
    resources: count,
    unreadable: unreadable.filter((one) => one.name.includes(name)),
  });
  return {
    a: sideReport(a, resources.a),
    b: sideReport(b, resources.b),
    equal,
    differences,
    notCompared,
  };
}

/** Looks at one argument; what it names is read when the other one was looked at too. */
function sideOf(
  text: string,
  kinds: readonly Kind[],
  direct: boolean,
  timeoutMs: number,
  rules: NameRules,
): () => Promise<Read> {
  const [, scheme = '', rest = ''] = /^([a-z]+):\/\/(.*?)\/?$/i.exec(text) ?? [];
  const read = async (side: Promise<Side>) => ({ side: await side, remarks: [] });
  switch (scheme.toLowerCase()) {
    case 'xds': {
      const target = parseHostPort(rest, text);
      return async () => {
        const { readXds } = await import('./get-xds.ts');
        return read(readSide(text, kinds, (some, reading) => readXds(target, some, reading), rules, timeoutMs));
      };
    }
    case 'http':
    case 'https': {
      const url = adminUrlOf(text, text);
      return () => read(readSide(text, kinds, (some, reading) => readAdmin(url, some, reading), rules, timeoutMs));
    }
    case 'mcp': {
      const target = parseHostPort(rest, text);
      if (!direct) throw needsDirect(text);
      const carried = kinds.filter(({ collection }) => collection !== undefined);
      if (carried.length === 0) {
        throw new IsthmusError('USAGE', '--type', `legacy MCP has no ${kinds.map(({ kind }) => kind).join(', ')}`);
      }
      return async () => {
        const { readLegacy } = await import('./get-legacy.ts');
        return read(readSide(text, carried, (some, reading) => readLegacy(target, some, reading), rules, timeoutMs));
      };
    }
    case '':
      return async () => {
        const side = await readDisk(text, kinds, rules);
        return { side, remarks: side.remarks };
      };
    default:
      throw new IsthmusError('USAGE', text, `${scheme}:// is no scheme that is known`, {
        hint: 'write xds://HOST:PORT, http://HOST:PORT, mcp://HOST:PORT, or a file or folder',
      });
  }
}

/** A folder or a file, whatever it holds. */
async function readDisk(path: string, kinds: readonly Kind[], rules: NameRules): Promise<FileSide> {
  if (await isCaptureFile(path)) {
    const { readCaptureSide } = await import('./diff-capture.ts');
    return readCaptureSide(path, kinds, rules);
  }
  const { readFiles } = await import('./diff-files.ts');
  return readFiles(path, kinds, rules);
}

function needsDirect(address: string): IsthmusError {
  return new IsthmusError('USAGE', address, 'a legacy server is asked with --direct only', {
    hint:
      'a second client can crash a live one, or take its updates from the bridge; ' +
      'give the admin address of the bridge (http://) to see what it has from there',
  });
}
