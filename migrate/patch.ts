import type { Argv } from 'yargs';
import { examples } from '../src/cli/examples.ts';
import { print, say } from '../src/cli/terminal.ts';
import { exitCode, IsthmusError } from '../src/model/errors.ts';
import { formatHostPort, isLoopback } from '../src/net/address.ts';
import { bridgeExample, parseBridge } from './bridge-address.ts';
import { clusterOptions, refuseFlags } from './live/flags.ts';
import { patchLive } from './live/patch.ts';
import { placeIdOf, sha256 } from './meshconfig/backup.ts';
import { findMeshConfigs } from './meshconfig/find.ts';
import { patchText } from './meshconfig/patch-text.ts';
import { planSources, type Wish } from './meshconfig/plan.ts';
import { keepBackup } from './patch-backup.ts';
import { readTextFile, standard, writeBytes } from './patch-files.ts';
import { choosePlace, problemText } from './patch-place.ts';
import { listByHand, nextSteps } from './patch-report.ts';
import { patchJson, tellPatch, tellRefusal } from './patch-tell.ts';
import { targetMinor } from './patch-version.ts';

const outputOption = { alias: 'o', choices: ['text', 'json'], default: 'text', describe: 'Form' } as const;

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 migrate patch [FILE] --bridge HOST:PORT [options]\n\n' +
        'Puts the bridge in the place of legacy MCP sources in configSources, and k8s:// behind it\n' +
        'where it is missing. FILE is a ConfigMap, a mesh config, the values of Helm or an\n' +
        'IstioOperator, in YAML or JSON; without one, it is the ConfigMap istio of the cluster. Only\n' +
        'the list is edited: comments, order, quotes and line breaks stay as they are. Prints the\n' +
        'change as a unified diff. Without --out, or --apply for the cluster, nothing is written.\n' +
        'Exits with 0 where it is as it should be or could be made so, 1 where it has to be edited by\n' +
        'hand (it says how), 2 where it can’t be read or has no mesh config (it says what to add), 3 where\n' +
        'the cluster does not let it.',
    )
    .positional('file', { type: 'string', describe: 'The file; - is standard input [default: the cluster]' })
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
    .option('apply', {
      type: 'boolean',
      default: false,
      describe: 'Write it to the cluster, if nobody has changed it meanwhile',
    })
    .option('backup', {
      type: 'string',
      requiresArg: true,
      describe: 'Where what was there goes, for isthmus migrate rollback; needed with --out and --apply',
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
      describe: 'Which mesh config: a part of its name in the file; in the cluster, the ConfigMap [default: istio]',
    })
    .options(clusterOptions)
    .option('output', outputOption)
    .epilogue(
      examples(
        ['isthmus migrate patch --bridge isthmus.istio-system:15410', 'what would change in the cluster, and why'],
        ['isthmus migrate patch --bridge isthmus.istio-system:15410 --apply --backup istio.backup', 'change it'],
        ['isthmus migrate patch --bridge isthmus.istio-system:15410 --name istio-canary', 'that of a revision'],
        ['isthmus migrate patch cm.yaml --bridge isthmus.istio-system:15410', 'the same of a file'],
        [
          'isthmus migrate patch cm.yaml --bridge isthmus.istio-system:15410 --out new.yaml --backup cm.bak',
          'write it into another one',
        ],
        ['isthmus migrate patch - --bridge isthmus.istio-system:15410 --out - --backup cm.bak < cm.yaml', 'in a pipe'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns 1 where it has to be edited by hand. */
export async function handler(flags: Flags): Promise<number> {
  const wish = wishOf(flags);
  const { file } = flags;
  if (file === undefined) return patchLive(flags, wish);
  const { apply, kubeconfig, context, namespace } = flags;
  refuseFlags(
    { '--apply': apply, '--kubeconfig': kubeconfig, '--context': context, '--namespace': namespace },
    'is for a cluster, and a FILE is given',
    'leave FILE out for the cluster; or give --out and --backup, and apply the new file with kubectl',
  );
  return patchFile({ ...flags, file }, wish);
}

async function patchFile(flags: Flags & { file: string }, wish: Wish): Promise<number> {
  requireBackup(flags);
  const input = await readTextFile(flags.file);
  const found = findMeshConfigs(input.name, input.text);
  const byHand = listByHand(planSources([], [], wish)).replaceAll(/^/gm, '      ');
  const place = choosePlace(found, { document: flags.document, name: flags.name }, byHand);
  const done = patchText(found, place, wish);
  for (const problem of found.problems) say(`warning: ${problemText(input.name, problem)}`);
  if ('refused' in done) return tellRefusal(found, place, done, flags.output);
  const { out, backup } = flags;
  if (out !== undefined && backup !== undefined) {
    const result = Buffer.from(done.text);
    const sums = { before: sha256(input.bytes), after: sha256(result) };
    const saved = { file: input.name, place: placeIdOf(place), sha256: sums, edits: done.edits, original: input.bytes };
    await keepBackup(backup, saved);
    await writeBytes(out, result);
  }
  const steps = nextSteps(place, { out, backup, bridge: wish.bridge, plan: done.plan });
  const nothing = out === undefined ? 'Nothing was written: give --out and --backup for that.' : undefined;
  const told = { name: input.name, before: input.text, place, done, wish, steps, nothing };
  if (flags.output === 'json')
    print(patchJson({ ...told, warnings: [], written: out === undefined ? {} : { out, backup } }));
  else tellPatch(told, out === standard);
  return exitCode.ok;
}

function wishOf({ bridge, toVersion, k8s }: Flags): Wish {
  const address = parseBridge(bridge, bridgeExample);
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

function requireBackup({ out, backup, file, output }: Flags & { file: string }): void {
  if (out === standard && output === 'json') {
    throw new IsthmusError('USAGE', '--out', 'standard output is taken by -o json', {
      hint: 'give a file with --out, or leave -o json out',
    });
  }
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
