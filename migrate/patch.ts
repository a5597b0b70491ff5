import type { Argv } from 'yargs';
import { examples } from '../src/cli/examples.ts';
import { colorsOf, oneLine, print, say } from '../src/cli/terminal.ts';
import { exitCode, IsthmusError } from '../src/model/errors.ts';
import { formatHostPort, isLoopback, parseHostPort } from '../src/net/address.ts';
import { placeIdOf, readBackup, sha256, writeBackup } from './meshconfig/backup.ts';
import { findMeshConfigs, type FoundFile, type MeshPlace } from './meshconfig/find.ts';
import { patchText } from './meshconfig/patch-text.ts';
import { type Plan, planSources, type Wish } from './meshconfig/plan.ts';
import type { Refusal } from './meshconfig/refusal.ts';
import { isThere, readBytes, readTextFile, standard, type TextFile, writeBytes } from './patch-files.ts';
import { choosePlace, problemText } from './patch-place.ts';
import { listByHand, nextSteps, unifiedDiff } from './patch-report.ts';
import { targetMinor } from './patch-version.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 migrate patch FILE --bridge HOST:PORT [options]\n\n' +
        'Puts the bridge in the place of legacy MCP sources in configSources, and k8s:// behind it\n' +
        'where it is missing. FILE is a ConfigMap, a mesh config, the values of Helm or an\n' +
        'IstioOperator, in YAML or JSON. Only the list is edited: comments, order, quotes and line\n' +
        'breaks of the file stay as they are. Prints the change as a unified diff; without --out it\n' +
        'writes nothing. Exits with 0 where the file is as it should be or could be made so, 1 where it\n' +
        'has to be edited by hand (it says how), 2 where it can’t be read.',
    )
    .positional('file', {
      type: 'string',
      demandOption: true,
      describe: 'The file; - is standard input',
    })
    .option('bridge', {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'HOST:PORT at which istiod reaches the xDS port of the bridge',
    })
    .option('to-version', {
      type: 'string',
      requiresArg: true,
      describe: 'Version of the istiod that is to read it, as 1.24',
    })
    .option('out', { type: 'string', requiresArg: true, describe: 'Where the new file goes; - is standard output' })
    .option('backup', {
      type: 'string',
      requiresArg: true,
      describe: 'Where the file as it was goes, for isthmus migrate rollback; needed with --out',
    })
    .option('k8s', {
      type: 'boolean',
      default: true,
      describe: 'k8s:// has to be in the list, for Istio’s resources in Kubernetes; --no-k8s: not',
    })
    .option('document', { type: 'number', requiresArg: true, describe: 'Which document of the file, from 1' })
    .option('name', {
      type: 'string',
      requiresArg: true,
      describe: 'Which mesh config of the file: a part of its name',
    })
    .epilogue(
      examples(
        ['isthmus migrate patch cm.yaml --bridge isthmus.istio-system:15410', 'what would change, and why'],
        [
          'isthmus migrate patch cm.yaml --bridge isthmus.istio-system:15410 --out new.yaml --backup cm.bak',
          'write it',
        ],
        ['isthmus migrate patch - --bridge isthmus.istio-system:15410 --out - --backup cm.bak < cm.yaml', 'in a pipe'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns 1 where the file has to be edited by hand. */
export async function handler(flags: Flags): Promise<number> {
  const wish = wishOf(flags);
  requireBackup(flags);
  const input = await readTextFile(flags.file);
  const found = findMeshConfigs(input.name, input.text);
  const byHand = listByHand(planSources([], [], wish)).replaceAll(/^/gm, '      ');
  const place = choosePlace(found, { document: flags.document, name: flags.name }, byHand);
  const done = patchText(found, place, wish);
  for (const problem of found.problems) say(`warning: ${problemText(input.name, problem)}`);
  if ('refused' in done) {
    sayRefusal(found, place, done.refused, done.plan);
    return exitCode.findings;
  }
  const result = Buffer.from(done.text);
  if (flags.out !== undefined) {
    await writeOutput({ input, out: flags.out, backup: flags.backup ?? '', result, done, place });
  }
  report(flags, { input, place, done, wish });
  return exitCode.ok;
}

function wishOf({ bridge, toVersion, k8s }: Flags): Wish {
  const address = parseHostPort(bridge.replace(/^xds:\/\//i, ''), '--bridge');
  // Whatever else a host may be, it has to stand in YAML as it is.
  if (!/^[\w.:%-]+$/.test(address.host)) {
    throw new IsthmusError('USAGE', '--bridge', `"${address.host}" is no name of a host`, {
      hint: 'write for example isthmus.istio-system:15410',
    });
  }
  if (isLoopback(address.host)) {
    say(`warning: --bridge ${bridge} is this host alone: right only where the bridge runs in the pod of istiod`);
  }
  return { bridge: formatHostPort(address), kubernetes: k8s, toMinor: targetMinor(toVersion) };
}

function requireBackup({ out, backup, file }: Flags): void {
  if (out === undefined && backup === undefined) return;
  if (out === undefined || backup === undefined) {
    const [given, missing] = out === undefined ? ['--backup', '--out'] : ['--out', '--backup'];
    throw new IsthmusError('USAGE', missing, `is needed with ${given}`, {
      hint: 'the new file and the way back are written together; without both, the change is only shown',
    });
  }
  if (backup === standard || backup === out || backup === file) {
    throw new IsthmusError('USAGE', '--backup', 'has to be a file of its own', {
      hint: 'write for example --backup istio.backup',
    });
  }
}

type Done = {
  readonly text: string;
  readonly edits: readonly { start: number; end: number; text: string }[];
  readonly plan: Plan;
};

type Output = {
  readonly input: TextFile;
  readonly out: string;
  readonly backup: string;
  readonly result: Buffer;
  readonly done: Done;
  readonly place: MeshPlace;
};

/** The backup is on the disk before the new file is, and never takes the place of another one. */
async function writeOutput({ input, out, backup, result, done, place }: Output): Promise<void> {
  const sums = { before: sha256(input.bytes), after: sha256(result) };
  if (isThere(backup) && done.edits.length === 0) {
    say(`${backup} stays as it is: there is nothing to take back`);
  } else if (isThere(backup)) {
    const old = readBackup(await readBytes(backup));
    const fits = typeof old !== 'string' && (old.sha256.before === sums.before || old.sha256.after === sums.before);
    if (!fits) {
      throw new IsthmusError('USAGE', backup, 'there is such a file already, and it is the backup of something else', {
        hint: 'give another name with --backup',
      });
    }
    if (old.sha256.before === sums.before && old.sha256.after !== sums.after) {
      throw new IsthmusError('USAGE', backup, 'it is the backup of another patch of this file', {
        hint: 'give another name with --backup, or remove it',
      });
    }
    say(`${backup} stays as it is: it has the file as it was before the first patch`);
  } else {
    const file = { file: input.name, place: placeIdOf(place), sha256: sums, edits: done.edits, original: input.bytes };
    // The mesh config may hold secrets; nobody else has to read its backup.
    await writeBytes(backup, writeBackup(file), { mode: 0o600 });
  }
  await writeBytes(out, result);
}

type Told = { readonly input: TextFile; readonly place: MeshPlace; readonly done: Done; readonly wish: Wish };

/** Data on standard output: the diff, or the new file where that was asked for. */
function report(flags: Flags, { input, place, done, wish }: Told): void {
  const toStdout = flags.out === standard;
  const { plan } = done;
  if (done.edits.length === 0) {
    say(`nothing to change: ${oneLine(place.what)} has xds://${wish.bridge} already`);
  } else {
    const diff = unifiedDiff({ before: input.name, after: `${input.name} (new)` }, input.text, done.text).trimEnd();
    if (toStdout) say(diff);
    else print(diff);
  }
  for (const { severity, text } of plan.remarks) {
    const { yellow, green } = colorsOf(process.stderr);
    say(severity === 'change' ? `${green('*')} ${oneLine(text)}` : `${yellow('warning:')} ${oneLine(text)}`);
  }
  if (done.edits.length === 0) return;
  if (flags.out === undefined) say('Nothing was written: give --out and --backup for that.');
  const steps = nextSteps(place, { out: flags.out, backup: flags.backup, bridge: wish.bridge, plan });
  say('What is left to do:');
  for (const [index, { text, command }] of steps.entries()) {
    say(`${index + 1}. ${text}`);
    if (command !== undefined) say(`   ${command}`);
  }
}

function sayRefusal(found: FoundFile, place: MeshPlace, refused: Refusal, plan: Plan): void {
  const { line, column } = found.spot(refused.offset ?? place.locate([]).offset);
  say(`${colorsOf(process.stderr).red('isthmus:')} ${oneLine(`${found.file}:${line}:${column}: ${refused.message}`)}`);
  say(`  nothing was written. Write this into ${oneLine(place.what)} by hand, in the place of its configSources:`);
  say(listByHand(plan).replaceAll(/^/gm, '    '));
}
