import { countOf, sizeText } from '../../src/model/texts.ts';
import { nearShare } from '../../src/model/size-level.ts';
import { formatHostPort, type HostPort } from '../../src/net/address.ts';
import { profileOf } from '../../src/xds/istiod-profile.ts';
import type { Version } from '../version.ts';
import { type AdminLook, lookAtAdmin } from './admin.ts';
import { askDirect } from './direct.ts';
import { type IstiodAddress, type IstiodFacts, readConfigz, readFacts } from './istiod.ts';
import { type AllServed, type Compared, failureOf, ReplicaComparison, type Rules } from './replica.ts';
import {
  type AdminReport,
  type BridgeReport,
  type IstiodReport,
  type Problem,
  type QuarantinedReport,
  type VerifyReport,
  verdictOf,
} from './report.ts';
import type { BridgeStream, ServedKind } from './served.ts';

/** What is asked, and how. */
export type Question = {
  readonly stream: BridgeStream;
  readonly admin: URL | undefined;
  readonly istiods: readonly IstiodAddress[];
  /** Legacy servers that are asked themselves. */
  readonly direct: readonly HostPort[];
  readonly version: Version | undefined;
  /** Of the istiods; '' = they have none, undefined = it is not known. */
  readonly revision: string | undefined;
  /** Whether an istiod has to say that it is ready. */
  readonly readiness: boolean;
  readonly timeoutMs: number;
};

/** Times that are tried to find a moment in which the bridge served the same before and after. */
const maxTries = 3;

/** Looks at every side once. Never throws for what a side does: that is in the report. */
export async function look(question: Question): Promise<Omit<VerifyReport, 'tookMs'>> {
  for (let tries = 1; ; tries++) {
    const before = question.stream.responses;
    const report = await lookOnce(question);
    // What changes meanwhile looks like a difference, and is none.
    if (report.verdict !== 'different' || question.stream.responses === before || tries === maxTries) return report;
  }
}

async function lookOnce(question: Question): Promise<Omit<VerifyReport, 'tookMs'>> {
  const { stream, admin: url, istiods, version, timeoutMs } = question;
  const [bridge, admin] = await Promise.all([
    lookAtBridge(question),
    url === undefined ? undefined : lookAtAdmin(url, timeoutMs),
  ]);
  const served = allServed(stream);
  // Where the bridge says nothing, nobody can tell what is missing there.
  const canCompare = bridge.report.error === null && bridge.report.silent.length === 0;
  const replicas: IstiodLook[] = [];
  // One after the other: each list is large.
  for (const istiod of istiods)
    replicas.push(await lookAtIstiod(istiod, canCompare ? served : undefined, admin, question));
  const direct = canCompare
    ? await Promise.all(question.direct.map((address) => askDirect(address, served, timeoutMs)))
    : [];
  const found = {
    bridge: bridge.report,
    admin: admin?.report ?? null,
    istiods: replicas.map(({ report }) => report),
    direct,
    problems: [
      ...bridge.problems,
      ...(admin?.problems ?? []),
      ...countProblems(admin?.report, bridge.report),
      ...replicas.flatMap(({ problems }) => problems),
    ],
  };
  return {
    verdict: verdictOf(found),
    toVersion: version?.text ?? null,
    lookedAt: new Date().toISOString(),
    ...found,
  };
}

function allServed(stream: BridgeStream): AllServed {
  const served = new Map<string, ServedKind>();
  for (const kind of stream.kinds) {
    const one = stream.served(kind);
    if (one !== undefined) served.set(kind.id, one);
  }
  return served;
}

async function lookAtBridge({
  stream,
  version,
  timeoutMs,
}: Question): Promise<{ report: BridgeReport; problems: Problem[] }> {
  const address = formatHostPort(stream.address);
  const subject = `xds://${address}`;
  try {
    await stream.ready(timeoutMs);
  } catch (error) {
    return { report: { address, error: failureOf(error), resources: 0, kinds: [], silent: [] }, problems: [] };
  }
  const limitBytes = profileOf('', version === undefined ? undefined : `1.${version.minor}`).maxResponseBytes;
  const served = [...allServed(stream).values()];
  const kinds = served.map(({ kind, resources, bytes }) => {
    return { kind: kind.kind, resources: resources.size, bytes, limitBytes };
  });
  const { silent } = stream;
  const problems: Problem[] = [];
  for (const { kind, bytes } of kinds) {
    if (bytes < limitBytes * nearShare) continue;
    const what = `${kind} is ${sizeText(bytes)} in one response; that istiod takes ${sizeText(limitBytes)}`;
    const next = 'share the resources out over several bridges, or upgrade it to 1.12 or newer';
    problems.push({ code: 'RESPONSE_SIZE', severity: 'warning', subject, what, next, mayPass: false });
  }
  if (silent.length > 0) {
    const what = `it says nothing of ${silent.join(', ')}: nothing can be compared before it does`;
    const next =
      version !== undefined && version.minor <= 11
        ? 'isthmus status says who is waited for; what is above 4 MiB is not sent to istiod up to 1.11'
        : 'isthmus status says which source is waited for';
    problems.push({ code: 'SILENT', severity: 'error', subject, what, next, mayPass: true });
  }
  const resources = kinds.reduce((sum, kind) => sum + kind.resources, 0);
  return { report: { address, error: null, resources, kinds, silent }, problems };
}

type IstiodLook = { readonly report: IstiodReport; readonly problems: readonly Problem[] };

async function lookAtIstiod(
  istiod: IstiodAddress,
  served: AllServed | undefined,
  admin: AdminLook | undefined,
  question: Question,
): Promise<IstiodLook> {
  const url = istiod.url.href;
  const pod = istiod.pod ?? null;
  const subject = istiod.pod ?? url;
  const failed = (error: unknown) => failureOf(error, istiod.why?.());
  const nothing = { compared: false, equal: 0, elsewhere: {}, differences: [], notCompared: [], passedOver: [] };
  const unknown = { version: null, ready: null, configSources: null };
  try {
    const facts = await readFacts(istiod);
    const about = {
      version: facts.version?.text ?? null,
      ready: facts.ready ?? null,
      configSources: facts.configSources ?? null,
    };
    const problems = factProblems(subject, facts, question);
    if (served === undefined) return { report: { url, pod, error: null, ...about, ...nothing }, problems };
    const comparison = new ReplicaComparison(served, rulesOf(facts, admin, question), facts);
    try {
      await readConfigz(istiod, (config) => comparison.take(config));
    } catch (error) {
      return { report: { url, pod, error: failed(error), ...about, ...nothing }, problems };
    }
    const found = comparison.finish();
    problems.push(...notFed(subject, facts, found), ...foundProblems(subject, found));
    return { report: { url, pod, error: null, ...about, compared: true, ...found }, problems };
  } catch (error) {
    return { report: { url, pod, error: failed(error), ...unknown, ...nothing }, problems: [] };
  }
}

function rulesOf({ version: own }: IstiodFacts, admin: AdminLook | undefined, { version, revision }: Question): Rules {
  const minor = (own ?? version)?.minor;
  return {
    minors: minor === undefined ? undefined : { from: minor, to: minor },
    revision,
    quarantined: admin === undefined ? undefined : byName(admin.report),
  };
}

/** Of a resource that is there twice, the form that is sent counts. */
function byName({ quarantined }: AdminReport): Map<string, QuarantinedReport> {
  const found = new Map<string, QuarantinedReport>();
  for (const one of quarantined) {
    const key = `${one.kind}/${one.name}`;
    if (found.get(key)?.sent !== 'as_received') found.set(key, one);
  }
  return found;
}

function factProblems(url: string, { ready, version: own, configSources }: IstiodFacts, asked: Question): Problem[] {
  const problems: Problem[] = [];
  const add = (code: string, severity: Problem['severity'], what: string, next: string, mayPass = false) => {
    problems.push({ code, severity, subject: url, what, next, mayPass });
  };
  if (ready === false && asked.readiness) {
    const next =
      'its log says what it waits for; one without Kubernetes, from 1.17 on, never is: then give --no-readiness';
    add('NOT_READY', 'error', '/ready says that it is not ready: no sidecar can connect', next, true);
  }
  if (own !== undefined && asked.version !== undefined && own.minor !== asked.version.minor) {
    const what = `it is ${own.text}, and the bridge was asked as ${asked.version.text}`;
    add('OTHER_VERSION', 'warning', what, 'give its version with --to-version');
  }
  if (configSources !== undefined && !configSources.some((address) => /^xds:/i.test(address))) {
    const has = configSources.length === 0 ? 'no configSources' : `configSources ${configSources.join(', ')}`;
    const what = `its mesh config has ${has}, and no xds:// among them: it is not fed by any bridge`;
    add('NOT_PATCHED', 'error', what, 'isthmus migrate patch writes them', true);
  }
  return problems;
}

/** One that has nothing at all of it is one that never asked. */
function notFed(url: string, { configSources = [] }: IstiodFacts, { equal, differences }: Compared): Problem[] {
  const [address] = configSources.filter((source) => /^xds:/i.test(source));
  const isEmpty = equal === 0 && differences.length > 0 && differences.every(({ status }) => status === 'missing');
  if (!isEmpty || address === undefined) return [];
  const what = `it has nothing of what the bridge serves, although its mesh config has ${address} by now`;
  const next =
    'it reads configSources only when it starts: restart it; else its log says what is wrong with that address';
  return [{ code: 'NOT_FED', severity: 'error', subject: url, what, next, mayPass: true }];
}

/** What to do about single resources that are not as they should be. */
function foundProblems(subject: string, { equal, differences, passedOver }: Compared): Problem[] {
  const problems: Problem[] = [];
  const missing = differences.filter(({ status }) => status === 'missing').length;
  if (missing > 0 && equal > 0) {
    const what = `it lacks ${missing} of the resources that the bridge serves, and has others`;
    const next = 'where it has refused one, its log says why (“Error adding a new resource to the store”, scope adsc)';
    // The differences themselves are what keeps it from being equal.
    problems.push({ code: 'MISSING', severity: 'warning', subject, what, next, mayPass: true });
  }
  if (passedOver.length > 0) {
    const what = `${countOf(passedOver.length, 'resource')} with fields that this istiod does not know: it does as if they were not there`;
    const next =
      'they are listed; mind those of policies: what a rule does not name it lets through, or applies to all';
    problems.push({ code: 'PASSED_OVER', severity: 'warning', subject, what, next, mayPass: false });
  }
  return problems;
}

/** What every source is said to have against what is served: of a kind that one source alone holds, both are the same. */
function countProblems(admin: AdminReport | undefined, bridge: BridgeReport): Problem[] {
  if (admin === undefined || admin.error !== null || bridge.error !== null) return [];
  return bridge.kinds.flatMap(({ kind, resources }): Problem[] => {
    const holders = admin.sources.flatMap((source) => source.kinds.filter((one) => one.kind === kind));
    const [first, ...others] = holders.filter(({ effective }) => effective > 0);
    const expected = others.length > 0 ? undefined : (first?.effective ?? 0);
    if (expected === undefined || expected === resources) return [];
    const what = `it serves ${countOf(resources, 'resource')} of ${kind}, and by ${admin.url} there are ${expected}`;
    const next = 'look again with --wait; where it stays so, is that the admin address of this bridge?';
    return [{ code: 'COUNT', severity: 'error', subject: `xds://${bridge.address}`, what, next, mayPass: true }];
  });
}
