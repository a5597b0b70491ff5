import type { Readable } from 'node:stream';
import type { Argv } from 'yargs';
import { examples } from '../src/cli/examples.ts';
import { print } from '../src/cli/terminal.ts';
import { exitCode } from '../src/model/errors.ts';
import { allChecks } from './checks/all.ts';
import { runChecks } from './checks/check.ts';
import { type Finding, sortFindings } from './finding.ts';
import { readAllInputs } from './live/all-inputs.ts';
import { type ClusterFlags, clusterOptions } from './live/flags.ts';
import { renderJson } from './report/json.ts';
import { renderMarkdown } from './report/markdown.ts';
import { type Output, outputs, type Report } from './report/report.ts';
import { renderSarif } from './report/sarif.ts';
import { renderText } from './report/text.ts';
import { type Limits, readInputs } from './scan/files.ts';
import { scan } from './scan/scan.ts';
import { requireVersion } from './version.ts';

/** Width of text where no terminal says its own. */
const defaultWidth = 100;

const outputOption = { alias: 'o', choices: outputs, default: 'text', describe: 'Form' } as const;

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 migrate analyze [FILE..] [options]\n\n' +
        'Says what has to be done before istiod 1.9 or newer takes the place of a Pilot that reads\n' +
        'legacy MCP, and what happens otherwise. It looks at whatever of this is in the files: the\n' +
        'ConfigMap "istio" or the mesh config by itself, Helm values, an IstioOperator, Deployments of\n' +
        'Galley, Mixer, Pilot and istiod, and Istio’s resources. Without a file, or with --context or\n' +
        '--kubeconfig, it reads them of the cluster. It changes nothing. Exits with 0 where nothing is\n' +
        'wrong, 1 for errors and warnings, 2 where a file that was named can’t be read, 3 where the\n' +
        'cluster can’t be asked.',
    )
    .positional('files', {
      type: 'string',
      array: true,
      describe: 'Files, folders with YAML and JSON files, or - for standard input [default: the cluster]',
    })
    .options(clusterOptions)
    .option('from-version', {
      type: 'string',
      describe: 'Version of Istio that runs now, for example 1.5.10 [default: by the images of the Deployments]',
    })
    .option('to-version', {
      type: 'string',
      describe: 'Version of Istio after the migration, for example 1.24 [default: every version from 1.9 on]',
    })
    .option('behind', {
      type: 'string',
      array: true,
      requiresArg: true,
      describe:
        'What the bridge serves: a file (isthmus get http://… -o yaml > FILE) or a folder, for conflicts and sizes',
    })
    .option('output', outputOption)
    .epilogue(
      examples(
        ['isthmus migrate analyze --to-version 1.24', 'the cluster of the current context'],
        ['isthmus migrate analyze values.yaml --context prod', 'that of another one, beside the values of Helm'],
        [
          'kubectl -n istio-system get configmap,deploy -o yaml | isthmus migrate analyze - --to-version 1.24',
          'what runs',
        ],
        ['isthmus migrate analyze manifests/ --from-version 1.5.10 --to-version 1.24', 'a folder of manifests'],
        ['helm get values istiod -n istio-system | isthmus migrate analyze - -o markdown', 'Helm values, for a ticket'],
        ['isthmus migrate analyze istio.yaml -o sarif > istio.sarif', 'for a code host or an editor'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns the exit code. */
export async function handler(flags: Flags): Promise<number> {
  const { kubeconfig, context, namespace } = flags;
  const report = await analyze(flags.files ?? [], {
    cluster: { kubeconfig, context, namespace },
    fromVersion: flags.fromVersion,
    toVersion: flags.toVersion,
    behind: flags.behind,
  });
  print(renderers[flags.output](report));
  return exitCodeOf(report.findings);
}

export type AnalyzeOptions = {
  /** Which cluster is read too; it is where no input is given. */
  readonly cluster?: ClusterFlags;
  readonly fromVersion?: string | undefined;
  readonly toVersion?: string | undefined;
  /** Files and folders with what the bridge serves. */
  readonly behind?: readonly string[] | undefined;
  /** @default process.stdin */
  readonly stdin?: Readable;
  readonly limits?: Limits;
};

/**
 * Reads files, or a cluster, and runs every check.
 * @throws IsthmusError USAGE for a version that is none, and for an input that was named and can't be read; KubeError where the cluster
 * can't be asked.
 */
export async function analyze(inputs: readonly string[], options: AnalyzeOptions = {}): Promise<Report> {
  const { fromVersion, toVersion, behind = [], stdin = process.stdin, limits, cluster = {} } = options;
  const from = requireVersion(fromVersion, '--from-version');
  const target = requireVersion(toVersion, '--to-version');
  const { read, names } = await readAllInputs(inputs, cluster, { stdin, limits });
  const beyond = behind.length === 0 ? undefined : await readInputs(behind, stdin, limits);
  const scanned = scan(read, beyond, { from, target, named: names[0] });
  const findings = sortFindings([...scanned.unread, ...runChecks(allChecks, scanned)]);
  return { inputs: names, from: scanned.from, target: scanned.target, findings };
}

const renderers: Readonly<Record<Output, (report: Report) => string>> = {
  text: (report) => renderText(report, process.stdout.columns || defaultWidth),
  json: renderJson,
  markdown: renderMarkdown,
  sarif: renderSarif,
};

/** 1 for errors and warnings, as `isthmus check` does; remarks are none. */
export function exitCodeOf(findings: readonly Finding[]): number {
  return findings.some(({ severity }) => severity !== 'info') ? exitCode.findings : exitCode.ok;
}
