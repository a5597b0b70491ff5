import type { Argv } from 'yargs';
import { examples } from '../src/cli/examples.ts';
import { print, say } from '../src/cli/terminal.ts';
import { exitCode, IsthmusError } from '../src/model/errors.ts';
import { packageVersion } from '../src/model/package.ts';
import { formatHostPort } from '../src/net/address.ts';
import { bridgeExample, parseBridge } from './bridge-address.ts';
import { allChecks } from './checks/all.ts';
import { runChecks } from './checks/check.ts';
import { sortFindings } from './finding.ts';
import { readAllInputs } from './live/all-inputs.ts';
import { clusterOptions, flagsText, kubectlFlags } from './live/flags.ts';
import { type Checklist, checklistOutputs, nextStep } from './plan/checklist.ts';
import { renderChecklist, statusText } from './plan/render.ts';
import { emptyState, progressOf, readPlanState, tick, writePlanState } from './plan/state.ts';
import { stepsOf } from './plan/steps.ts';
import { journeyText } from './report/report.ts';
import { stdinName } from './scan/files.ts';
import type { MeshConfig } from './scan/mesh-config.ts';
import { scan } from './scan/scan.ts';
import { requireVersion } from './version.ts';

const outputOption = { alias: 'o', choices: checklistOutputs, default: 'markdown', describe: 'Form' } as const;

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 migrate plan [FILE..] --bridge HOST:PORT [options]\n\n' +
        'Writes the checklist of a migration: the steps in their order, with the commands for this\n' +
        'configuration, how to see that each worked, and the way back. The first mesh config in the\n' +
        'files is moved; Deployments and the rest, where they are given too, make the plan more exact.\n' +
        'Without a file, or with --context or --kubeconfig, it reads all of that of the cluster.\n' +
        'Nothing is changed but the file of --state, which keeps what is done.',
    )
    .positional('files', {
      type: 'string',
      array: true,
      describe: 'Files and folders, as for isthmus migrate analyze [default: the cluster]',
    })
    .options(clusterOptions)
    .option('name', {
      type: 'string',
      requiresArg: true,
      describe: 'Name of the ConfigMap whose mesh config is moved, where there are several',
    })
    .option('bridge', {
      type: 'string',
      demandOption: true,
      requiresArg: true,
      describe: 'HOST:PORT at which istiod reaches the xDS port of the bridge',
    })
    .option('image', {
      type: 'string',
      requiresArg: true,
      default: `isthmus:${packageVersion()}`,
      describe: 'What the image of the bridge is called where the cluster pulls it from',
    })
    .option('from-version', { type: 'string', requiresArg: true, describe: 'Version of Istio that runs now' })
    .option('to-version', { type: 'string', requiresArg: true, describe: 'Version of Istio after the migration' })
    .option('state', { type: 'string', requiresArg: true, describe: 'File that keeps which steps are done' })
    .option('done', { type: 'string', array: true, requiresArg: true, describe: 'Steps that are done now' })
    .option('undo', { type: 'string', array: true, requiresArg: true, describe: 'Steps that are not done any more' })
    .option('status', {
      type: 'boolean',
      default: false,
      describe: 'Show only which steps are done; exit code 1 if not all',
    })
    .option('output', outputOption)
    .epilogue(
      examples(
        [
          'isthmus migrate plan --bridge isthmus.istio-system:15410 --to-version 1.24 > plan.md',
          'the checklist for the cluster of the current context',
        ],
        ['isthmus migrate plan istio.yaml --bridge isthmus.istio-system:15410 > plan.md', 'the same of a file'],
        [
          'isthmus migrate plan istio.yaml --bridge isthmus.istio-system:15410 --state plan.json --done save',
          'tick a step',
        ],
        [
          'isthmus migrate plan istio.yaml --bridge isthmus.istio-system:15410 --state plan.json --status',
          'how far it is',
        ],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns the exit code. */
export async function handler(flags: Flags): Promise<number> {
  const { done = [], undo = [], state: file, status, output } = flags;
  if (file === undefined && (done.length > 0 || undo.length > 0 || status)) {
    throw new IsthmusError('USAGE', '--state', 'is needed to know what is done', {
      hint: 'give a file that keeps it, for example --state plan.json',
    });
  }
  const { steps, about } = await planOf(flags);
  let state = file === undefined ? emptyState : readPlanState(file);
  if (file !== undefined && done.length + undo.length > 0) {
    state = tick(state, steps, { done, undo, now: new Date() });
    await writePlanState(file, state);
  }
  const checklist: Checklist = {
    ...about,
    steps: steps.map((step) => ({ ...step, progress: progressOf(step, state) })),
  };
  // That has what is done in it, for programs.
  print(status && output !== 'json' ? statusText(checklist) : renderChecklist[output](checklist));
  return status && nextStep(checklist) !== undefined ? exitCode.findings : exitCode.ok;
}

async function planOf({ files = [], bridge, image, fromVersion, toVersion, name, ...flags }: Flags) {
  requireImage(image);
  const address = parseBridge(bridge, bridgeExample);
  const options = {
    from: requireVersion(fromVersion, '--from-version'),
    target: requireVersion(toVersion, '--to-version'),
  };
  const { read, names } = await readAllInputs(files, flags, { stdin: process.stdin });
  const scanned = scan(read, undefined, { ...options, named: names[0] });
  const findings = sortFindings([...scanned.unread, ...runChecks(allChecks, scanned)]);
  const mesh = requireMesh(scanned.meshConfigs, name, names.join(', '));
  const isLive = read.files.some(({ file, isOfCluster }) => isOfCluster === true && file === mesh.file);
  const journey = journeyText({ inputs: names, from: scanned.from, target: scanned.target, findings });
  const about = { file: mesh.file, subject: mesh.subject, bridge: formatHostPort(address), journey };
  const cluster = isLive ? { kubectl: kubectlFlags(flags), isthmus: flagsText(flags) } : undefined;
  return { steps: stepsOf({ scanned, findings, mesh, bridge: address, image, cluster }), about };
}

/** It goes into manifests and shells. */
function requireImage(image: string): void {
  if (/^[\w.-]+(:\d+)?(\/[\w.-]+)*(:[\w.-]+)?(@sha256:[0-9a-f]{64})?$/.test(image)) return;
  throw new IsthmusError('USAGE', '--image', `"${image}" is no name of an image`, {
    hint: 'write for example --image registry.example.com/isthmus:0.1.0',
  });
}

/** The one that is moved: what is installed from comes before the ConfigMap that is made of it. */
function requireMesh(all: readonly MeshConfig[], name: string | undefined, where: string): MeshConfig {
  const meshConfigs = all.filter(({ object }) => name === undefined || object?.name === name);
  const installed = meshConfigs.find(({ kind }) => kind === 'istioOperator' || kind === 'helmValues');
  const mesh = installed ?? meshConfigs[0];
  if (mesh === undefined) {
    const others = all.map(({ subject }) => subject).join('; ');
    const [subject, which] = name === undefined ? [where, 'mesh config'] : ['--name', `mesh config ${name}`];
    throw new IsthmusError('USAGE', subject, `there is no ${which} in it`, {
      hint:
        others === ''
          ? 'give the ConfigMap istio, or Helm values or an IstioOperator that have meshConfig (isthmus migrate patch FILE says what to add to those that have none); of a cluster, the context and the namespace of istiod (-n). isthmus migrate analyze says what is there'
          : `there is ${others}`,
    });
  }
  if (mesh.file === stdinName) {
    throw new IsthmusError('USAGE', 'FILE', 'the commands of a plan need a file with a name', {
      hint: 'write it into one first: kubectl -n istio-system get configmap istio -o yaml > istio.yaml',
    });
  }
  if (meshConfigs.length > 1)
    say(`there are ${meshConfigs.length} mesh configs; this plan moves ${mesh.subject} in ${mesh.file}`);
  return mesh;
}
