import { rm } from 'node:fs/promises';
import type { Cluster } from '../../src/kube/cluster.ts';
import { colorsOf, oneLine, print, say } from '../../src/cli/terminal.ts';
import { exitCode, IsthmusError } from '../../src/model/errors.ts';
import { placeIdOf, sha256 } from '../meshconfig/backup.ts';
import { findMeshText, type MeshPlace } from '../meshconfig/find.ts';
import { type Patched, patchText } from '../meshconfig/patch-text.ts';
import { planSources, type Wish } from '../meshconfig/plan.ts';
import { keepBackup } from '../patch-backup.ts';
import { choosePlace, problemText } from '../patch-place.ts';
import { listByHand, nextSteps } from '../patch-report.ts';
import { patchJson, tellPatch, tellRefusal } from '../patch-tell.ts';
import { quote } from '../plan/step.ts';
import { requireMutable, tellConflict } from './conflict.ts';
import { type ClusterFlags, clusterOf, flagsText, refuseFlags } from './flags.ts';
import { type LiveMesh, otherMeshes, readMesh, writeMesh } from './mesh.ts';
import { undoers } from './owners.ts';

/** Flags of `isthmus migrate patch` that count for a cluster. */
export type LivePatchFlags = ClusterFlags & {
  readonly apply: boolean;
  readonly backup?: string | undefined;
  readonly out?: string | undefined;
  readonly document?: number | undefined;
  /** Of the ConfigMap. @default istio */
  readonly name?: string | undefined;
  readonly toVersion?: string | undefined;
  readonly output: 'text' | 'json';
};

/**
 * Patches the mesh config of a ConfigMap in a cluster; without `apply` it only shows what would change.
 * @returns 1 where it has to be edited by hand.
 * @throws IsthmusError where it can't be read or written.
 */
export async function patchLive(flags: LivePatchFlags, wish: Wish): Promise<number> {
  requireFlags(flags);
  const cluster = await clusterOf(flags);
  const name = flags.name ?? 'istio';
  const mesh = await readMesh(cluster, name);
  say(`${mesh.what} of context ${cluster.context} (${cluster.server})`);
  const found = findMeshText({ apiVersion: 'v1', kind: 'ConfigMap', ...mesh.ref }, mesh.text);
  const byHand = listByHand(planSources([], [], wish)).replaceAll(/^/gm, '      ');
  const place = choosePlace(found, { document: undefined, name: undefined }, byHand);
  const done = patchText(found, place, wish);
  if ('refused' in done) return tellRefusal(found, place, done, flags.output);
  for (const problem of found.problems) say(`warning: ${problemText(found.file, problem)}`);
  const isChange = done.edits.length > 0;
  if (isChange && flags.apply) requireMutable(mesh);
  const warnings = isChange ? [...undoers(mesh.object), ...(await revisions(cluster, name))] : [];
  for (const text of warnings) say(`${colorsOf(process.stderr).yellow('warning:')} ${oneLine(text)}`);

  let written: { applied?: string; backup?: string } = {};
  if (flags.apply && flags.backup !== undefined && isChange) {
    const resourceVersion = await write(cluster, mesh, { place, done, backup: flags.backup });
    written = { applied: resourceVersion, backup: flags.backup };
  }
  const isApplied = written.applied !== undefined;
  const { backup } = flags;
  const steps = nextSteps(place, {
    out: undefined,
    backup,
    bridge: wish.bridge,
    plan: done.plan,
    live: { flags: isApplied ? flagsText({ ...flags, namespace: undefined }) : repeatText(flags, wish), isApplied },
  });
  const nothing = isApplied ? undefined : 'Nothing was written: give --apply and --backup for that.';
  const told = { name: place.what, before: mesh.text, place, done, wish, steps, nothing };
  if (isApplied) say(`${mesh.what} was written, and read again: data.mesh is what was sent, nothing else was touched.`);
  if (flags.output === 'json') print(patchJson({ ...told, warnings, written }));
  else tellPatch(told);
  return exitCode.ok;
}

/** The flags with which the same patch is written. */
function repeatText(flags: LivePatchFlags, { kubernetes }: Wish): string {
  const { name, toVersion } = flags;
  const named = { '--name': name, '--to-version': toVersion };
  const more = Object.entries(named).flatMap(([flag, value]) =>
    value === undefined ? [] : [` ${flag} ${quote(value)}`],
  );
  return `${flagsText(flags)}${more.join('')}${kubernetes ? '' : ' --no-k8s'}`;
}

function requireFlags({ apply, backup, out, document }: LivePatchFlags): void {
  refuseFlags(
    { '--out': out, '--document': document },
    'is for a FILE, and none is given',
    'give a FILE, or --apply for the cluster',
  );
  if (apply === (backup !== undefined)) return;
  throw new IsthmusError('USAGE', apply ? '--backup' : '--apply', `is needed with ${apply ? '--apply' : '--backup'}`, {
    hint: 'write for example --apply --backup istio.backup; without both, the change is only shown',
  });
}

/** The backup is on the disk before anything is written. @returns the resourceVersion of what was written. */
async function write(
  cluster: Cluster,
  mesh: LiveMesh,
  { place, done, backup }: { readonly place: MeshPlace; readonly done: Patched; readonly backup: string },
): Promise<string> {
  const original = Buffer.from(mesh.text);
  const { uid } = mesh.object.metadata;
  const isNew = await keepBackup(backup, {
    file: mesh.what,
    place: placeIdOf(place),
    sha256: { before: sha256(original), after: sha256(Buffer.from(done.text)) },
    live: { ...mesh.ref, uid, server: cluster.server },
    edits: done.edits,
    original,
  });
  const result = await writeMesh(cluster, mesh, done.text);
  if (result.did === 'written') return result.resourceVersion;
  // A backup of what was not changed would be in the way of the next one.
  if (isNew) await rm(backup, { force: true });
  throw result.did === 'refused' ? result.error : tellConflict(mesh, result.now);
}

/** Each istiod of a revision reads a ConfigMap of its own. */
async function revisions(cluster: Cluster, name: string): Promise<string[]> {
  const others = await otherMeshes(cluster, name);
  if (typeof others === 'string') return [`whether there are ConfigMaps of other revisions is not known: ${others}`];
  if (others.length === 0) return [];
  return [`there is ${others.join(', ')} too, for istiods of another revision: each has to be patched with --name`];
}
