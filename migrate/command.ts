import type { Argv } from 'yargs';
import { examples } from '../src/cli/examples.ts';
import { addVerbs, type Verb, verbModule } from '../src/cli/verb.ts';

/** The verbs of `isthmus migrate`, in the order in which they are used. */
const verbs: readonly Verb[] = [
  {
    command: 'analyze [files..]',
    describe: 'Say what has to be done, and what happens if it is left',
    load: () => verbModule(import('./analyze.ts')),
  },
  {
    command: 'plan [files..]',
    describe: 'Write the checklist: steps, commands, checks and the way back',
    load: () => verbModule(import('./plan.ts')),
  },
  {
    command: 'patch [file]',
    describe: 'Write the mesh config anew with the bridge in place of legacy sources',
    load: () => verbModule(import('./patch.ts')),
  },
  {
    command: 'restart',
    describe: 'Restart the istiods of a cluster one at a time, each one verified',
    load: () => verbModule(import('./restart.ts')),
  },
  {
    command: 'verify',
    describe: 'Prove that every istiod has what the bridge serves',
    load: () => verbModule(import('./verify.ts')),
  },
  {
    command: 'rollback [file]',
    describe: 'Take that back, byte for byte',
    load: () => verbModule(import('./rollback.ts')),
  },
];

export function builder(yargs: Argv) {
  addVerbs(yargs, verbs);
  return yargs
    .usage(
      '$0 migrate COMMAND\n\n' +
        'Moves the mesh config of istiod (configSources) from legacy MCP servers to the bridge, and\n' +
        'back. It works on files (what kubectl get configmap istio -o yaml prints, a mesh config by\n' +
        'itself, the values of Helm, or an IstioOperator; YAML or JSON), and where no file is given on\n' +
        'a cluster: that of the kubeconfig’s current context, or of --kubeconfig, --context and -n.\n' +
        'A cluster is only read, unless --apply says otherwise: then data.mesh of one ConfigMap is\n' +
        'written, which istiod reads when it restarts. Of files, those are written that --out,\n' +
        '--backup and --state name. restart writes a Deployment, verify only asks.',
    )
    .demandCommand(1, 'give one of the commands of migrate')
    .epilogue(
      examples(
        ['isthmus migrate analyze --to-version 1.24', 'what there is to do in the cluster of the current context'],
        ['isthmus migrate plan --bridge isthmus.istio-system:15410 > plan.md', 'the checklist'],
        ['isthmus migrate patch --bridge isthmus.istio-system:15410', 'what would change, and why'],
        ['isthmus migrate patch --bridge isthmus.istio-system:15410 --apply --backup istio.backup', 'do it'],
        ['isthmus migrate rollback --backup istio.backup --apply', 'the way back'],
        ['kubectl -n istio-system get configmap istio -o yaml > cm.yaml', 'or with files'],
        [
          'isthmus migrate patch cm.yaml --bridge isthmus.istio-system:15410 --out new.yaml --backup cm.bak',
          'kubectl then applies new.yaml',
        ],
        [
          'isthmus migrate verify --bridge 127.0.0.1:15410 --istiod http://127.0.0.1:8080 --wait 2m',
          'after the restart: does istiod have everything?',
        ],
        ['isthmus migrate rollback new.yaml --backup cm.bak --out old.yaml', 'and back'],
      ),
    );
}

/** Never runs: one of its own verbs does, or the command line is wrong. */
export async function handler(): Promise<void> {}
