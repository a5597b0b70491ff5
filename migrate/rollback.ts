import type { Argv } from 'yargs';
import { examples } from '../src/cli/examples.ts';
import { colorsOf, oneLine, print, say } from '../src/cli/terminal.ts';
import { exitCode, IsthmusError } from '../src/model/errors.ts';
import { clusterOptions, refuseFlags } from './live/flags.ts';
import { rollbackLive } from './live/rollback.ts';
import { type Backup, readBackup, sha256 } from './meshconfig/backup.ts';
import { meshTextsOf, type NotRolledBack, rollBackText } from './meshconfig/rollback-text.ts';
import { quote } from './plan/step.ts';
import { readBytes, readTextFile, standard, type TextFile, writeBytes } from './patch-files.ts';
import { pilotBackText, unifiedDiff } from './patch-report.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 migrate rollback [FILE] --backup FILE [--out FILE | --apply]\n\n' +
        'Takes back what isthmus migrate patch did: the file, or data.mesh of the ConfigMap in the\n' +
        'cluster, is byte for byte what it was. What was changed outside of the mesh config since\n' +
        'stays. Where the mesh config itself was changed since, nothing is written and the change is\n' +
        'shown. Prints a unified diff; without --out, or --apply for the cluster, nothing is written.\n' +
        'Exits with 1 where it can’t take it back, 2 where the file or the backup can’t be read, 3 where\n' +
        'the cluster does not let it.',
    )
    .positional('file', {
      type: 'string',
      describe: 'The file as it is now; - is standard input [default: the cluster]',
    })
    .option('backup', {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'What --backup of isthmus migrate patch has written',
    })
    .option('out', { type: 'string', requiresArg: true, describe: 'Where the file goes; - is standard output' })
    .option('apply', {
      type: 'boolean',
      default: false,
      describe: 'Write it to the cluster, if nobody has changed it meanwhile',
    })
    .options(clusterOptions)
    .epilogue(
      examples(
        ['isthmus migrate rollback --backup istio.backup', 'what would change in the cluster'],
        ['isthmus migrate rollback --backup istio.backup --apply', 'change it'],
        ['isthmus migrate rollback new.yaml --backup cm.bak', 'what would change'],
        ['isthmus migrate rollback new.yaml --backup cm.bak --out old.yaml', 'write it'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns 1 where the mesh config was changed since. */
export async function handler(flags: Flags): Promise<number> {
  const { file, backup: name, out, apply, kubeconfig, context, namespace } = flags;
  if (file === undefined) {
    refuseFlags({ '--out': out }, 'is for a FILE, and none is given', 'give a FILE, or --apply for the cluster');
  } else {
    refuseFlags(
      { '--apply': apply, '--kubeconfig': kubeconfig, '--context': context, '--namespace': namespace },
      'is for a cluster, and a FILE is given',
      'leave FILE out for the cluster; or give --out, and apply the file with kubectl',
    );
  }
  if (file === standard && name === standard) {
    throw new IsthmusError('USAGE', '--backup', 'standard input is FILE already', {
      hint: 'give the backup as a file',
    });
  }
  const backup = readBackup(await readBytes(name));
  if (typeof backup === 'string') {
    throw new IsthmusError('USAGE', name, backup, { hint: 'give what --backup of isthmus migrate patch has written' });
  }
  return file === undefined ? rollbackLive(flags, backup) : rollbackFile({ file, name, out }, backup);
}

type Files = { readonly file: string; readonly name: string; readonly out: string | undefined };

async function rollbackFile({ file, name, out }: Files, backup: Backup): Promise<number> {
  const current = await readTextFile(file);
  const result = rollBack(backup, current);
  if ('reason' in result) {
    sayWhyNot(current.name, name, backup, result);
    return exitCode.findings;
  }
  if (out !== undefined) await writeBytes(out, result.bytes);
  const diff = unifiedDiff(
    { before: current.name, after: `${current.name} (rolled back)` },
    current.text,
    result.bytes.toString('utf8'),
  );
  if (diff === '') say(`nothing to change: ${current.name} is what it was before the patch`);
  else if (out === standard) say(diff.trimEnd());
  else print(diff.trimEnd());
  if (result.kept) say('What was changed outside of the mesh config since the patch stays.');
  if (out === undefined && diff !== '') say('Nothing was written: give --out for that.');
  if (out !== undefined && diff !== '') {
    say('Apply it, and restart istiod: it reads configSources only when it starts.');
    const apply = applyCommand(out, backup, result.bytes.toString('utf8'));
    if (apply !== undefined) say(`   ${apply}`);
    say(pilotBackText);
  }
  return exitCode.ok;
}

/** How a ConfigMap is applied that was printed before the change: the API server takes its resourceVersion no more. */
function applyCommand(out: string, backup: Backup, text: string): string | undefined {
  const texts = meshTextsOf(backup);
  const object = typeof texts === 'string' ? undefined : texts.object;
  if (out === standard || object?.kind !== 'ConfigMap' || !/^ *resourceVersion:/m.test(text)) return undefined;
  const namespace = object.namespace === '' ? 'istio-system' : object.namespace;
  return `sed '/^ *resourceVersion:/d' ${quote(out)} | kubectl -n ${quote(namespace)} replace -f -`;
}

type Result = { readonly bytes: Buffer; readonly kept: boolean };

function rollBack(backup: Backup, current: TextFile): Result | NotRolledBack {
  const sum = sha256(current.bytes);
  const isWhole = backup.live === undefined && (sum === backup.sha256.after || sum === backup.sha256.before);
  if (isWhole) return { bytes: backup.original, kept: false };
  const result = rollBackText(backup, backup.original.toString('utf8'), current.text);
  return 'reason' in result ? result : { bytes: Buffer.from(result.text), kept: result.kept };
}

function sayWhyNot(file: string, backupName: string, { place }: Backup, { reason, patched, now }: NotRolledBack): void {
  say(`${colorsOf(process.stderr).red('isthmus:')} ${oneLine(`${file}: ${reason}`)}`);
  if (patched !== undefined && now !== undefined) {
    print(unifiedDiff({ before: `${place.what} as patched`, after: `${place.what} now` }, patched, now).trimEnd());
  }
  say('  nothing was written. Take that change back first, or take the old configSources over by hand from');
  say(`  ${oneLine(backupName)}, which has the whole file as it was`);
}
