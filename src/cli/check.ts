import type { Argv } from 'yargs';
import { ConfigError } from '../config/load.ts';
import { type Config, type ConfigInput, configSchema, sourceUrl } from '../config/schema.ts';
import type { SourceProtocol } from '../legacy/source-profile.ts';
import { IsthmusError } from '../model/errors.ts';
import { istiodTlsMinor } from '../model/istiod-tls.ts';
import { formatHostPort, type HostPort, parseHostPort } from '../net/address.ts';
import type { ClientTls } from '../net/tls-client.ts';
import { millisecondsOf, outputOption } from './arguments.ts';
import { checkAddress, checkSourceService, sourceSubject } from './check-address.ts';
import {
  askDirectly,
  originFindings,
  servedFindings,
  type BridgeState,
  findBridge,
  readBridge,
  type RunningBridge,
} from './check-bridge.ts';
import { about, exitCodeOf, type Finding } from './check-findings.ts';
import { configFindings, listenFindings, stateFindings } from './check-host.ts';
import { type Readers, readersOf } from './check-limits.ts';
import { istiodVersionOf, type Question, questionOf } from './check-question.ts';
import { exportFindings, renderFindings } from './check-report.ts';
import { clientTlsOf, tlsFindings } from './check-tls.ts';
import { configOptions } from './config-flags.ts';
import { examples } from './examples.ts';
import { print, say } from './terminal.ts';

/** Width of text where no terminal says its own, or one says 0, as a pseudo-terminal without a window does. */
const defaultWidth = 100;

/** The istiod that is played where nobody says which one will come. */
const defaultMinor = 24;

export function builder(yargs: Argv) {
  return configOptions(yargs)
    .usage(
      '$0 check [ADDR..] [options]\n\n' +
        'Looks at a config before serve does, at the bridge that runs, or at single addresses:\n' +
        '  xds://HOST:PORT    as istiod sees it\n' +
        '  http://HOST:PORT   the admin pages of a bridge\n' +
        '  mcp://HOST:PORT    a legacy server; mcps:// over TLS\n\n' +
        'Changes nothing. Exits with 1 where something is not as it should be, 2 where the config is wrong,\n' +
        '3 where the bridge that is to be asked (http://, xds://, --admin) does not answer.',
    )
    .positional('addresses', { type: 'string', array: true, describe: 'Addresses to look at in place of a config' })
    .option('admin', { type: 'string', describe: 'Admin address of a running bridge [default: that of the config]' })
    .option('direct', {
      type: 'boolean',
      default: false,
      describe: 'Ask legacy servers for all they have, although a second client can harm a live one: see README',
    })
    .option('istiod-version', { type: 'string', describe: 'Version of the oldest istiod, for example 1.24' })
    .option('timeout', { type: 'number', default: 10, describe: 'Seconds to wait for each answer' })
    .option('output', outputOption)
    .epilogue(
      examples(
        ['isthmus check --config isthmus.yaml', 'before serve, and next to it'],
        ['isthmus check --source galley=mcp://127.0.0.1:9901 --direct', 'and all that the source has'],
        ['isthmus check xds://127.0.0.1:15410', 'what istiod would meet there'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** A legacy server to look at. */
type Source = {
  readonly subject: string;
  readonly settings: NonNullable<ConfigInput['sources']>[number];
  readonly address: HostPort;
  readonly isSecure: boolean;
  /** How it is spoken to over TLS; undefined in plaintext, and where only the running bridge knows. */
  readonly tls: ClientTls | undefined;
  readonly protocol?: SourceProtocol;
};

/** @returns the exit code. */
export async function handler(flags: Flags): Promise<number> {
  const timeoutMs = millisecondsOf(flags.timeout, '--timeout');
  const istiodVersion = istiodVersionOf(flags.istiodVersion);
  let findings: Finding[];
  try {
    findings = await check(questionOf(flags), { direct: flags.direct, istiodVersion, timeoutMs });
  } catch (error) {
    if (!(error instanceof ConfigError) || error.code !== 'CONFIG_INVALID') throw error;
    const isReadable = error.mistakes.some(({ at }) => at !== flags.config);
    const next = `${isReadable ? 'mend it' : 'give a file that can be read with --config'}; nothing else was looked at`;
    const { error: wrong } = about(`config ${flags.config}`);
    findings = error.mistakes.map(({ at, what }) =>
      wrong('CONFIG_INVALID', at === flags.config ? what : `${at}: ${what}`, next),
    );
  }
  if (flags.output === 'table') print(renderFindings(findings, process.stdout.columns || defaultWidth));
  else print(exportFindings(findings, flags.output));
  return exitCodeOf(findings);
}

type Options = { readonly direct: boolean; readonly istiodVersion: string | undefined; readonly timeoutMs: number };

async function check(question: Question, { direct, istiodVersion, timeoutMs }: Options): Promise<Finding[]> {
  const findings: Finding[] = [];
  const { found, unreachable } = await findRunning(question, timeoutMs);
  findings.push(...unreachable);
  // Beside a bridge that runs, a config that nobody has given is of no interest.
  const config = question.configIsGiven || found === undefined ? question.config : undefined;
  if (config !== undefined) findings.push(...(await hostFindings(config, question, found?.bridge)));
  const version = istiodVersion ?? config?.istiod.version;
  const profiles = found?.state.streams.map(({ profile }) => profile);
  const readers = readersOf(version, profiles);
  const sources = sourcesOf(question, config, found?.state);
  const looked = await lookAtSources(sources, connectedSources(found?.state), timeoutMs);
  findings.push(...looked.findings.filter(({ code }) => !direct || code !== 'SERVICE_UNKNOWN'));
  if (found !== undefined) findings.push(...runningFindings(found, readers));
  if (direct) findings.push(...(await directFindings(looked.reachable, config, readers, timeoutMs)));
  else if (looked.reachable.length > 0) findings.push(notAsked);
  for (const address of question.xds) findings.push(...(await checkXds(address, version, readers, timeoutMs)));
  return findings;
}

function runningFindings({ bridge, state }: Found, readers: Readers): Finding[] {
  const subject = bridgeSubject(bridge.base);
  return [
    about(subject).ok('BRIDGE_RUNNING', `Isthmus ${bridge.version} runs; this is what it says of itself`),
    ...originFindings(state, ({ name, address }) => `source ${name} (${address ?? 'in the config no more'})`),
    ...servedFindings(state, subject, readers),
  ];
}

/** Said where legacy servers were looked at from outside only. */
const notAsked = about('not looked at').info(
  'SERVICE_UNKNOWN',
  'which collections the sources serve, and how much: --direct asks them, as the bridge does. Leave it while a bridge or ' +
    'a Pilot reads them: some legacy servers crash over a second client, or feed only the last who came',
);

type Found = { readonly bridge: RunningBridge; readonly state: BridgeState };

/** The bridge that was named, or the one where the config has its admin pages. */
async function findRunning(
  { admin, config, configIsGiven }: Question,
  timeoutMs: number,
): Promise<{ found?: Found; unreachable: Finding[] }> {
  const base = admin ?? (config === undefined ? undefined : adminUrlOfConfig(config));
  if (base === undefined) return { unreachable: [] };
  let what = 'something else than a bridge answers there';
  let next = "give a bridge's --admin-listen";
  try {
    const bridge = await findBridge(base, timeoutMs);
    if (bridge !== undefined) return { found: { bridge, state: await readBridge(base, timeoutMs) }, unreachable: [] };
  } catch (failure) {
    if (failure instanceof IsthmusError) {
      what = failure.message.replace(`${failure.subject}: `, '');
      next = failure.hint ?? next;
    } else what = 'its pages are not those of a bridge of this version';
  }
  // Nobody promised that a bridge runs where the config has its pages.
  if (admin === undefined) {
    const none = `no bridge answers (${what}): what follows is the default config; name another one with --admin`;
    return { unreachable: configIsGiven ? [] : [about(bridgeSubject(base)).info('NO_BRIDGE', none)] };
  }
  return { unreachable: [about(bridgeSubject(base)).error('BRIDGE_UNREACHABLE', what, next)] };
}

async function hostFindings(config: Config, { configIsGiven }: Question, bridge: RunningBridge | undefined) {
  const subject = configIsGiven ? 'config' : 'config (defaults: neither --config nor flags are given)';
  const findings = configFindings(config, subject);
  findings.push(...(await listenFindings(config, bridge?.listeners ?? [])));
  findings.push(...(await tlsFindings(config, new Date())));
  if (config.stateDir !== undefined) findings.push(...(await stateFindings(config.stateDir)));
  if (bridge === undefined) findings.push(...config.sources.flatMap(awaitedFindings));
  return findings;
}

/** Who dials in can't be looked at before the bridge runs. */
function awaitedFindings({ name, match }: Config['sources'][number]): Finding[] {
  if (match === undefined) return [];
  const what = 'it is to dial the bridge; whether it does, the running bridge alone can tell';
  return [about(`source ${name} (dials in)`).info('SOURCE_AWAITED', what)];
}

function connectedSources(state: BridgeState | undefined): (address: HostPort) => boolean {
  const connected = new Set(
    state?.origins.flatMap(({ address, connection }) =>
      connection.state === 'connected' ? [withoutScheme(address)] : [],
    ),
  );
  return (address) => connected.has(formatHostPort(address));
}

/** `HOST:PORT` of a source's address. */
function withoutScheme(url: string | null): string {
  return (url ?? '').replace(/^mcps?:\/\//, '');
}

/** Legacy servers of the command line and the config; without one, those of the bridge. Who dials in can't be looked at. */
function sourcesOf({ mcp }: Question, config: Config | undefined, state: BridgeState | undefined): Source[] {
  const named = mcp.map(({ isSecure, ...address }, index) => {
    const tls = isSecure ? { insecureSkipVerify: false } : undefined;
    const url = sourceUrl({ address, tls });
    const settings = { name: `address-${index + 1}`, address: url };
    return { subject: url, settings, address, isSecure, tls: clientTlsOf({ ...settings, tls }) };
  });
  const configured = (config?.sources ?? []).flatMap(({ name, address, tls, protocol }) => {
    if (address === undefined) return [];
    const url = sourceUrl({ address, tls });
    const settings = { name, address: url };
    const subject = sourceSubject(name, url);
    return [{ subject, settings, address, isSecure: tls !== undefined, tls: clientTlsOf({ name, tls }), protocol }];
  });
  const served = config !== undefined ? [] : (state?.origins ?? []);
  const ofBridge = served.flatMap(({ name, address: url }) => {
    if (url === null || !/^mcps?:/.test(url)) return [];
    const address = parseHostPort(withoutScheme(url), 'source');
    const isSecure = url.startsWith('mcps:');
    return [{ subject: sourceSubject(name, url), settings: { name, address: url }, address, isSecure, tls: undefined }];
  });
  return [...named, ...configured, ...ofBridge];
}

/** Looks at sources from outside, but for those that the running bridge is connected to: of those it knows more. */
async function lookAtSources(
  sources: readonly Source[],
  isConnected: (address: HostPort) => boolean,
  timeoutMs: number,
) {
  const reachable: Source[] = [];
  const looked = sources.filter(({ address }) => !isConnected(address));
  const groups = await Promise.all(
    looked.map(async (source) => {
      const { address, subject, isSecure, tls, protocol } = source;
      const { findings, speaksHttp2 } = await checkAddress(address, subject, 'Isthmus', timeoutMs, isSecure);
      if (!speaksHttp2 || (isSecure && tls === undefined)) return findings;
      const service = await checkSourceService(address, subject, timeoutMs, tls, protocol);
      if (service.every(({ severity }) => severity !== 'error')) reachable.push(source);
      return [...findings, ...service];
    }),
  );
  return { findings: groups.flat(), reachable };
}

async function directFindings(
  sources: readonly Source[],
  config: Config | undefined,
  readers: Readers,
  timeoutMs: number,
) {
  if (sources.length === 0) {
    const what = 'there is no source to ask: each is read by the running bridge already, or can’t be asked';
    return [about('--direct').info('DIRECT_NEEDLESS', what)];
  }
  say(`asking ${sources.map(({ settings }) => settings.address).join(', ')} directly, as a client of their own`);
  const subjects = new Map(sources.map(({ settings, subject }) => [settings.name, subject]));
  const known = config?.sources.filter(({ name }) => subjects.has(name)) ?? [];
  const others = sources.filter(({ settings }) => !known.some(({ name }) => name === settings.name));
  const made = configSchema.parse({ sources: others.map(({ settings }) => settings) });
  const base = config ?? made;
  const state = await askDirectly({ ...base, sources: [...known, ...made.sources] }, timeoutMs);
  const served = servedFindings(state, 'what istiod would be served', readers);
  const harmed = known.filter(({ oneConnection }) => oneConnection);
  // Nobody was to connect to what ran for a moment; its TLS files are those of the config, which were looked at.
  return [
    ...harmed.map(({ name, profile }) => secondConnection(subjects.get(name) ?? name, profile)),
    ...originFindings(state, ({ name }) => subjects.get(name) ?? name),
    ...served.filter(({ code }) => code !== 'ISTIODS' && code !== 'TLS_PROBLEM'),
  ];
}

/** Said of a source that was asked although its profile says what that may do. */
function secondConnection(subject: string, profile: string): Finding {
  const what = `a connection beside its own, or one that ends, harms a server of profile ${profile}, and --direct has made both`;
  const next =
    'see in /debug/origins, or by a change at the source, that the bridge still hears of it; else restart the source';
  return about(subject).warning('SECOND_CONNECTION', what, next);
}

async function checkXds(address: HostPort, version: string | undefined, readers: Readers, timeoutMs: number) {
  const subject = `xds://${formatHostPort(address)}`;
  const minor = version === undefined ? defaultMinor : Number(version.split('.')[1]);
  const dialler = minor >= istiodTlsMinor ? 'newIstiod' : 'istiod';
  const { findings, speaksHttp2 } = await checkAddress(address, subject, dialler, timeoutMs);
  if (!speaksHttp2) return findings;
  const { askAsIstiod, xdsFindings } = await import('./check-xds.ts');
  return [...findings, ...xdsFindings(await askAsIstiod(address, minor, timeoutMs), subject, readers)];
}

/** Where a bridge of this config has its admin pages, seen from this host. */
function adminUrlOfConfig({ admin: { listen } }: Config): URL | undefined {
  if (listen.port === 0) return undefined;
  const loopback: Readonly<Record<string, string>> = { '0.0.0.0': '127.0.0.1', '::': '::1' };
  return new URL(`http://${formatHostPort({ ...listen, host: loopback[listen.host] ?? listen.host })}`);
}

function bridgeSubject(base: URL): string {
  return `bridge (${base.origin})`;
}
