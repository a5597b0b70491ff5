import { colorsOf, oneLine, print, say } from '../../src/cli/terminal.ts';
import { exitCode, IsthmusError } from '../../src/model/errors.ts';
import { istiodDeployment } from '../istiod-deployment.ts';
import type { Backup } from '../meshconfig/backup.ts';
import { meshTextsOf } from '../meshconfig/rollback-text.ts';
import { pilotBackText, restartText, unifiedDiff } from '../patch-report.ts';
import { quote } from '../plan/step.ts';
import { requireMutable, tellConflict } from './conflict.ts';
import { type ClusterFlags, clusterOf, flagsText } from './flags.ts';
import { type LiveMesh, readMesh, writeMesh } from './mesh.ts';
import { undoers } from './owners.ts';

/** Flags of `isthmus migrate rollback` that count for a cluster. */
export type LiveRollbackFlags = ClusterFlags & { readonly apply: boolean; readonly backup: string };

/**
 * Puts `data.mesh` of a ConfigMap in a cluster back to what it was before a patch, byte for byte; without `apply` it only shows it.
 * @returns 1 where somebody else has changed it since.
 * @throws IsthmusError where it can't be read or written.
 */
export async function rollbackLive(flags: LiveRollbackFlags, backup: Backup): Promise<number> {
  const texts = meshTextsOf(backup);
  if (typeof texts === 'string') throw unusable(flags.backup, texts);
  const { namespace, name } = refOf(flags, backup, texts.object);
  const cluster = await clusterOf({ ...flags, namespace });
  const mesh = await readMesh(cluster, name);
  say(`${mesh.what} of context ${cluster.context} (${cluster.server})`);
  const { uid } = mesh.object.metadata;
  if (backup.live !== undefined && backup.live.uid !== uid) return tellOther(flags.backup, mesh, backup.live.server);
  if (mesh.text === texts.was) {
    say(`nothing to change: data.mesh of ${mesh.what} is what it was before the patch`);
    return exitCode.ok;
  }
  if (mesh.text !== texts.patched) return tellChanged(flags.backup, mesh, texts.patched);
  print(unifiedDiff({ before: mesh.what, after: `${mesh.what} (rolled back)` }, mesh.text, texts.was).trimEnd());
  for (const text of undoers(mesh.object)) say(`${colorsOf(process.stderr).yellow('warning:')} ${oneLine(text)}`);
  if (!flags.apply) {
    say('Nothing was written: give --apply for that.');
    say(`   isthmus migrate rollback --apply --backup ${quote(flags.backup)}${flagsText(flags)}`);
    return exitCode.ok;
  }
  requireMutable(mesh);
  const result = await writeMesh(cluster, mesh, texts.was);
  if (result.did === 'refused') throw result.error;
  if (result.did === 'changed') throw tellConflict(mesh, result.now);
  say(`${mesh.what} was written, and read again: data.mesh is byte for byte what it was before the patch.`);
  const deployment = istiodDeployment(/^istio-(.+)$/.exec(name)?.[1]);
  say(restartText);
  say(`   kubectl -n ${quote(namespace)} rollout restart deploy/${quote(deployment)}`);
  say(pilotBackText);
  return exitCode.ok;
}

const unusable = (file: string, message: string): IsthmusError =>
  new IsthmusError('USAGE', file, message, { hint: 'give what --backup of isthmus migrate patch has written' });

/** Which ConfigMap a backup is of. */
function refOf(
  { backup: file, namespace: wanted }: LiveRollbackFlags,
  { live, place }: Backup,
  object: { readonly kind: string; readonly name: string; readonly namespace: string } | undefined,
): { namespace: string; name: string } {
  const of = live ?? (object?.kind === 'ConfigMap' ? object : undefined);
  if (of === undefined) {
    throw new IsthmusError('USAGE', file, `is the backup of ${place.what}, and of no ConfigMap`, {
      hint: 'roll the file back: isthmus migrate rollback FILE --backup … --out …',
    });
  }
  const namespace = of.namespace === '' ? (wanted ?? 'istio-system') : of.namespace;
  if (wanted === undefined || wanted === namespace) return { namespace, name: of.name };
  throw new IsthmusError('USAGE', '--namespace', `the backup is of ConfigMap ${namespace}/${of.name}`, {
    hint: 'leave the flag out, or give the backup of the other one',
  });
}

function tellOther(file: string, { what }: LiveMesh, server: string): number {
  say(`${colorsOf(process.stderr).red('isthmus:')} ${what} is not the object that was patched: that had another uid`);
  say(
    `  nothing was written. ${oneLine(file)} was made at ${oneLine(server)}: give its --context. Where the ConfigMap was made`,
  );
  say('  anew in the same cluster, roll a file back: kubectl get configmap -o yaml | isthmus migrate rollback - …');
  return exitCode.findings;
}

function tellChanged(file: string, { what, text }: LiveMesh, patched: string): number {
  say(`${colorsOf(process.stderr).red('isthmus:')} ${what}: its mesh config was changed since the patch`);
  print(unifiedDiff({ before: `${what} as patched`, after: `${what} now` }, patched, text).trimEnd());
  say('  nothing was written. Take that change back first, or take the old configSources over by hand from');
  say(`  ${oneLine(file)}, which has the whole mesh config as it was`);
  return exitCode.findings;
}
