import type { Argv } from 'yargs';
import { adminUrlOf, millisecondsOf, timeOf } from '../src/cli/arguments.ts';
import { examples } from '../src/cli/examples.ts';
import { interrupted, print, say } from '../src/cli/terminal.ts';
import type { Cluster } from '../src/kube/cluster.ts';
import { exitCode, IsthmusError } from '../src/model/errors.ts';
import { lookAtDeployment, type Outcome, restart, type RestartOptions, undoRestart } from './restart/restart.ts';
import { newReplicas } from './restart/replicas.ts';
import { whyNotComplete } from './verify/admin.ts';
import { parseBridge } from './bridge-address.ts';
import { istiodDeployment } from './istiod-deployment.ts';
import { clusterOf, clusterOptions } from './live/flags.ts';
import { BridgeStream } from './verify/served.ts';
import { requireVersion } from './version.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 migrate restart --bridge HOST:PORT --admin URL [options]\n\n' +
        'Restarts the istiods of a Deployment one replica at a time, so that they read the new mesh config:\n' +
        'no istiod reads configSources but when it starts. A new Pod comes before an old one goes, and the\n' +
        'next one comes only once it is Ready and has what the bridge serves, and the bridge is complete.\n' +
        'Where one is not so in time it stops: the old Pods run on, and nothing happens by itself. Then the\n' +
        'same command goes on, and --undo takes it back. Without --apply it only says what there is to do.\n' +
        'Exits with 0 where all replicas are new, 1 where it has stopped, 3 where the cluster does not let it.',
    )
    .option('bridge', { type: 'string', requiresArg: true, describe: 'HOST:PORT of the xDS port of the bridge' })
    .option('admin', {
      type: 'string',
      requiresArg: true,
      describe: 'http://HOST:PORT of the admin or metrics port of the bridge: its /syncz is the gate',
    })
    .option('apply', { type: 'boolean', default: false, describe: 'Do it' })
    .option('undo', {
      type: 'boolean',
      default: false,
      describe: 'Take back a restart that stands still: new Pods go, old ones stay; with --apply',
    })
    .option('ready-only', {
      type: 'boolean',
      default: false,
      describe: 'Ready is enough, and no bridge is asked: after a rollback',
    })
    .option('deployment', {
      type: 'string',
      requiresArg: true,
      describe: 'Name of the Deployment [default: istiod, or istiod-REVISION]',
    })
    .option('to-version', { type: 'string', requiresArg: true, describe: 'Version of the istiods, as 1.24' })
    .option('revision', { type: 'string', requiresArg: true, describe: 'Revision of the istiods' })
    .option('wait', { type: 'string', requiresArg: true, default: '10m', describe: 'For each replica, at most' })
    .option('timeout', {
      type: 'number',
      default: 30,
      describe: 'Seconds without a word after which a side is given up',
    })
    .options(clusterOptions)
    .epilogue(
      examples(
        ['isthmus migrate restart --bridge 127.0.0.1:15410 --admin http://127.0.0.1:15480', 'what there is to restart'],
        ['isthmus migrate restart --bridge 127.0.0.1:15410 --admin http://127.0.0.1:15480 --apply', 'do it, or go on'],
        ['isthmus migrate restart --undo --apply', 'take back what stands still'],
        ['isthmus migrate restart --ready-only --apply', 'after isthmus migrate rollback'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns 1 where it has stopped. */
export async function handler(flags: Flags): Promise<number> {
  const { kubeconfig, context, namespace, revision = '' } = flags;
  const replicaMs = timeOf(flags.wait, '--wait', '10m');
  const sides = flags.readyOnly || flags.undo ? undefined : sidesOf(flags);
  const cluster = await clusterOf(
    { kubeconfig, context, namespace },
    'give one with --kubeconfig: it restarts a Deployment of a cluster',
  );
  const name = flags.deployment ?? istiodDeployment(revision === 'default' ? '' : revision);
  if (!flags.apply) return tell(cluster, name, flags);
  const stop = new AbortController();
  interrupted().then(
    () => stop.abort(),
    () => {},
  );
  const common = { cluster, name, replicaMs, signal: stop.signal, say };
  if (flags.undo) return undo(common);
  const replicas = sides === undefined ? undefined : newReplicas({ ...sides, cluster });
  try {
    const outcome = await restart({
      ...common,
      gate: async () => (sides === undefined ? undefined : whyNotComplete(sides.admin, sides.timeoutMs)),
      verify: async (pods) => replicas?.whyNot(pods),
    });
    return sayOutcome(outcome, common);
  } finally {
    await replicas?.close();
  }
}

/** The bridge that the new replicas are compared with. */
function sidesOf({ bridge, admin, toVersion, revision, timeout }: Flags) {
  if (bridge === undefined || admin === undefined) {
    throw new IsthmusError('USAGE', bridge === undefined ? '--bridge' : '--admin', 'is needed', {
      hint: 'each replica is compared with what the bridge serves; after a rollback, give --ready-only in its place',
    });
  }
  const version = requireVersion(toVersion, '--to-version');
  const address = parseBridge(bridge);
  return {
    stream: new BridgeStream(address, version?.minor),
    admin: adminUrlOf(admin, '--admin'),
    version,
    revision,
    timeoutMs: millisecondsOf(timeout, '--timeout'),
  };
}

async function tell(cluster: Cluster, name: string, { undo: isUndo }: Flags): Promise<number> {
  const { rollout, pods } = await lookAtDeployment({ cluster, name });
  print(`Deployment ${cluster.namespace}/${name} of context ${cluster.context} (${cluster.server})`);
  for (const pod of pods) print(`  Pod ${pod.name}: ${pod.isReady ? 'Ready' : (pod.waiting ?? pod.phase)}`);
  if (rollout.kept !== undefined) {
    const fresh = pods.filter((pod) => pod.restartedAt === rollout.restartedAt).length;
    print(`A restart stands still: ${fresh} new Pods, ${pods.length - fresh} old ones of ${rollout.replicas}.`);
    print('--apply goes on with it; --undo --apply takes it back.');
  } else if (isUndo) print('No restart is under way: there is nothing to take back.');
  else {
    print('No version of istiod reads configSources again while it runs: what was started before the mesh config was');
    print(`changed has to be restarted. --apply does that for these ${rollout.replicas}, one at a time.`);
  }
  return exitCode.ok;
}

async function undo(options: Omit<RestartOptions, 'gate' | 'verify'>): Promise<number> {
  const isDone = await undoRestart(options);
  print(
    isDone
      ? `taken back: the old Pods of ${options.name} run on, and the Deployment is as it was`
      : 'no restart is under way: there is nothing to take back',
  );
  return exitCode.ok;
}

function sayOutcome(outcome: Outcome, { cluster, name }: Pick<RestartOptions, 'cluster' | 'name'>): number {
  if (outcome.did === 'done') {
    print(`done: all ${outcome.replicas} replicas of ${cluster.namespace}/${name} are new`);
    return exitCode.ok;
  }
  const { why, fresh, old } = outcome;
  print(`stopped: ${why}`);
  print(
    `${cluster.namespace}/${name} has ${fresh} new and ${old} old Pods, and nothing happens by itself. The old ones run on.`,
  );
  print('  to go on, once it is mended: the same command');
  print(`  to go back: isthmus migrate restart --undo --apply, and isthmus migrate rollback for the mesh config`);
  return exitCode.findings;
}
