import { readFileSync } from 'node:fs';
import type { Argv } from 'yargs';
import { examples } from '../src/cli/examples.ts';
import { adminUrlOf, httpUrlOf, millisecondsOf, timeOf } from '../src/cli/arguments.ts';
import { print, say } from '../src/cli/terminal.ts';
import { exitCode, IsthmusError, messageOf } from '../src/model/errors.ts';
import { type HostPort, isLoopback, parseHostPort } from '../src/net/address.ts';
import { parseBridge } from './bridge-address.ts';
import type { IstiodAddress } from './verify/istiod.ts';
import type { Question } from './verify/look.ts';
import { clusterOf, clusterOptions } from './live/flags.ts';
import { type ForwardedPods, forwardPods, requireIstiodPods } from './verify/pods.ts';
import { exportReport, renderReport } from './verify/render.ts';
import type { Verdict } from './verify/report.ts';
import { BridgeStream } from './verify/served.ts';
import { lookUntilEqual } from './verify/wait.ts';
import { requireVersion, xdsOnlyMinor } from './version.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 migrate verify --bridge HOST:PORT [--istiod URL..] [options]\n\n' +
        'Proves that nothing was lost or changed on the way: asks the bridge as istiod does, and compares\n' +
        'what it serves with what each istiod has (its /debug/configz), resource by resource; what the\n' +
        'bridge has of each source, what is quarantined, held or out of date comes from --admin. Without\n' +
        '--istiod it finds the Pods of istiod in the cluster, and reaches each by a port-forward. It reads\n' +
        'only. Exits with 0 where all is equal, 1 where something differs, 3 where a side can’t be asked.',
    )
    .option('bridge', { type: 'string', demandOption: true, requiresArg: true, describe: 'HOST:PORT of its xDS port' })
    .option('istiod', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'http://HOST:PORT of the debug pages of an istiod (repeatable: every replica) [default: the cluster]',
    })
    .option('admin', {
      type: 'string',
      requiresArg: true,
      describe: 'http://HOST:PORT of the admin pages of the bridge',
    })
    .option('direct', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'mcp://HOST:PORT of a legacy server, which is asked itself (repeatable); can harm a live one',
    })
    .option('to-version', { type: 'string', requiresArg: true, describe: 'Version of the istiods, as 1.24' })
    .option('revision', {
      type: 'string',
      requiresArg: true,
      describe: 'Revision of the istiods, "" for none: resources labelled for another one are left out there',
    })
    .option('istiod-token', {
      type: 'string',
      requiresArg: true,
      describe: 'File with a token for the istiods: those that are not reached by a port-forward ask for one',
    })
    .option('readiness', {
      type: 'boolean',
      default: true,
      describe: 'istiods have to say that they are ready; --no-readiness: not',
    })
    .option('wait', { type: 'string', requiresArg: true, default: '0s', describe: 'Look again for so long, as 2m' })
    .option('timeout', {
      type: 'number',
      default: 30,
      describe: 'Seconds without a word after which a side is given up',
    })
    .options(clusterOptions)
    .option('output', { alias: 'o', choices: ['table', 'json'] as const, default: 'table' as const, describe: 'Form' })
    .epilogue(
      examples(
        ['kubectl -n istio-system port-forward istiod-7d4f-x2x 8080', 'for each replica, each on a port of its own'],
        ['isthmus migrate verify --bridge 127.0.0.1:15410 --istiod http://127.0.0.1:8080', 'are they equal now?'],
        ['isthmus migrate verify --bridge 127.0.0.1:15410 --context prod -n istio-system', 'the same of all its Pods'],
        [
          'isthmus migrate verify --bridge 127.0.0.1:15410 --admin http://127.0.0.1:15480 --istiod http://127.0.0.1:8080 --to-version 1.24 --wait 2m',
          'with what each source has sent, and until it is so',
        ],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** What the hint says to write. */
const istiodExample = 'http://127.0.0.1:8080, which kubectl port-forward POD 8080 makes of it';

const exitCodes: Readonly<Record<Verdict, number>> = {
  equal: exitCode.ok,
  different: exitCode.findings,
  unknown: exitCode.environment,
};

/** @returns the exit code. */
export async function handler(flags: Flags): Promise<number> {
  const waitMs = timeOf(flags.wait, '--wait', '2m');
  const asked = questionOf(flags);
  const forwarded = flags.istiod === undefined ? await podsOf(flags, asked.timeoutMs) : undefined;
  const question = { ...asked, istiods: forwarded?.istiods ?? asked.istiods };
  try {
    const report = await lookUntilEqual(question, { waitMs, progress: say });
    if (flags.output === 'json') for (const piece of exportReport(report)) process.stdout.write(piece);
    else print(renderReport(report));
    return exitCodes[report.verdict];
  } finally {
    question.stream.close();
    await forwarded?.close();
  }
}

/** The istiods of the cluster that the flags name. */
async function podsOf({ kubeconfig, context, namespace, revision }: Flags, timeoutMs: number): Promise<ForwardedPods> {
  const cluster = await clusterOf(
    { kubeconfig, context, namespace },
    'give one with --kubeconfig; or say where each istiod is: --istiod http://HOST:PORT',
  );
  const found = await requireIstiodPods(cluster, revision);
  say(`${found.length} Pods of istiod in ${cluster.namespace} of context ${cluster.context} (${cluster.server})`);
  return forwardPods(cluster, found, timeoutMs);
}

function questionOf(flags: Flags): Question {
  const version = requireVersion(flags.toVersion, '--to-version');
  if (version !== undefined && version.minor < xdsOnlyMinor) {
    throw new IsthmusError('USAGE', '--to-version', `Istio ${version.text} reads no MCP-over-xDS`, {
      hint: 'give the version of the istiods that read the bridge: 1.9 or newer',
    });
  }
  const timeoutMs = millisecondsOf(flags.timeout, '--timeout');
  const token = flags.istiodToken === undefined ? undefined : readToken(flags.istiodToken);
  const istiods = [...new Set(flags.istiod ?? [])].map((text) => ({
    url: httpUrlOf(text, '--istiod', istiodExample),
    token,
    timeoutMs,
  }));
  if (token !== undefined) warnOfClearText(istiods);
  const admin = flags.admin === undefined ? undefined : adminUrlOf(flags.admin, '--admin');
  const address = parseBridge(flags.bridge);
  return {
    stream: new BridgeStream(address, version?.minor),
    admin,
    istiods,
    direct: directOf(flags.direct ?? []),
    version,
    revision: flags.revision,
    readiness: flags.readiness,
    timeoutMs,
  };
}

function directOf(addresses: readonly string[]): HostPort[] {
  const found = [...new Set(addresses)].map((text) => {
    if (!/^mcp:\/\//i.test(text)) {
      throw new IsthmusError('USAGE', '--direct', `"${text}" is no mcp:// address`, {
        hint: 'write for example --direct mcp://galley.istio-system:9901',
      });
    }
    return parseHostPort(text.replace(/^mcp:\/\//i, ''), '--direct');
  });
  if (found.length > 0) {
    say(
      'warning: --direct asks legacy servers as a second reader: some panic then, some feed only the last one who asked',
    );
  }
  return found;
}

function readToken(file: string): string {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').trim();
  } catch (error) {
    throw new IsthmusError('USAGE', file, `it can't be read: ${messageOf(error)}`, { cause: error });
  }
  if (/^[\x21-\x7e]+$/.test(text)) return text;
  throw new IsthmusError('USAGE', file, 'there is no token in it', {
    hint: 'for example: kubectl -n istio-system create token istiod --audience istio-ca > token',
  });
}

function warnOfClearText(istiods: readonly IstiodAddress[]): void {
  for (const { url } of istiods) {
    if (url.protocol === 'https:' || isLoopback(url.hostname.replace(/^\[|\]$/g, ''))) continue;
    say(`warning: the token goes to ${url.origin} in clear text`);
  }
}
