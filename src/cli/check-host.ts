import { accessSync, constants, existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:net';
import { dirname, join, resolve } from 'node:path';
import type { Config } from '../config/schema.ts';
import { messageOf } from '../model/errors.ts';
import { formatHostPort, type HostPort, isLoopback } from '../net/address.ts';
import { isMissing, readRegularFile, realFs, stateExtension, stateFolder } from '../state/state-file.ts';
import { readHeader } from '../state/state-format.ts';
import { about, type Finding } from './check-findings.ts';
import { countOf } from '../model/texts.ts';

/** What is about this machine, and this user. */
const thisHost = 'this host';

/** The listeners of a config, each with the flag that sets it. */
type Listener = { readonly flag: string; readonly what: string; readonly address: HostPort };

function listenersOf({ xds, admin, metrics, sink, legacy }: Config): Listener[] {
  const all = [
    { flag: '--xds-listen', what: 'xDS', address: xds.listen },
    { flag: '--admin-listen', what: 'admin pages', address: admin.listen },
  ];
  if (metrics.listen !== undefined) all.push({ flag: '--metrics-listen', what: 'metrics', address: metrics.listen });
  if (sink.listen !== undefined) all.push({ flag: '--sink-listen', what: 'sources', address: sink.listen });
  if (legacy.listen !== undefined) all.push({ flag: '--legacy-listen', what: 'legacy MCP', address: legacy.listen });
  return all;
}

/** What a config says that is allowed, and still not what one would want. */
export function configFindings(config: Config, subject: string): Finding[] {
  const { ok, info, warning, error } = about(subject);
  const { sources, stateDir, xds, admin, sink, legacy } = config;
  const findings = [ok('CONFIG_VALID', `it is valid, with ${countOf(sources.length, 'source')}`)];
  if (sources.length === 0) {
    const what = 'it has no sources: istiod would be given empty answers for everything';
    findings.push(warning('NO_SOURCES', what, 'add one: --source NAME=mcp://HOST:PORT'));
  }
  const names = new Map<string, string>();
  for (const { name, address } of sources) {
    if (address === undefined) continue;
    const target = formatHostPort(address);
    const other = names.get(target);
    names.set(target, name);
    if (other === undefined) continue;
    const what = `${name} and ${other} are one server, ${target}; some legacy servers feed only the last who came`;
    findings.push(warning('SOURCE_TWICE', what, `take one of them out`));
  }
  for (const [index, { flag, address }] of listenersOf(config).entries()) {
    const same = listenersOf(config).find((one, at) => at < index && isSame(one.address, address));
    if (same === undefined) continue;
    const what = `${same.flag} and ${flag} are one address, ${formatHostPort(address)}`;
    findings.push(error('LISTEN_TWICE', what, 'give each listener its own port'));
  }
  if (!isLoopback(admin.listen.host)) {
    const what = `the admin pages can be read from other hosts (${formatHostPort(admin.listen)})`;
    findings.push(warning('ADMIN_EXPOSED', what, 'listen on 127.0.0.1, and give scrapes --metrics-listen'));
  }
  if (!isLoopback(xds.listen.host) && xds.tls === undefined) {
    const what = `xDS is served without TLS to other hosts (${formatHostPort(xds.listen)}); a NetworkPolicy or xds.allowedPeers can keep others out`;
    findings.push(info('XDS_WITHOUT_TLS', what));
  }
  if (sink.listen !== undefined && !isLoopback(sink.listen.host) && sink.tls?.clientCa === undefined) {
    const what = `sources of other hosts may dial in without a certificate (${formatHostPort(sink.listen)}): headers and addresses are no proof of who they are`;
    findings.push(
      warning(
        'SINK_EXPOSED',
        what,
        'keep others out with a NetworkPolicy or sink.allowedPeers, ask for certificates (sink.tls), or listen on 127.0.0.1',
      ),
    );
  }
  if (sink.listen !== undefined && sources.every(({ match }) => match === undefined)) {
    const what = 'sources may dial in, and none has a match: whoever comes is refused';
    findings.push(warning('SINK_UNMATCHED', what, 'add one: sources: [{ name: NAME, match: { address: IP } }]'));
  }
  if (legacy.listen !== undefined && !isLoopback(legacy.listen.host)) {
    const what = `legacy MCP is served without TLS to other hosts (${formatHostPort(legacy.listen)}); a NetworkPolicy can keep others out`;
    findings.push(info('LEGACY_WITHOUT_TLS', what));
  }
  if (stateDir === undefined) {
    const what = 'no stateDir: a restart while a source is down leaves istiod without what that source has';
    findings.push(info('STATE_OFF', what));
  }
  return findings;
}

function isSame(a: HostPort, b: HostPort): boolean {
  return a.port !== 0 && a.port === b.port && a.host === b.host;
}

/**
 * Whether each listener can be bound now. Binds it for a moment, unless the bridge that runs has it.
 *
 * @param ours listeners of the bridge that runs.
 */
export async function listenFindings(config: Config, ours: readonly HostPort[]): Promise<Finding[]> {
  const { ok, error } = about(thisHost);
  const findings: Finding[] = [];
  for (const { flag, what, address } of listenersOf(config)) {
    const target = `${formatHostPort(address)} (${what})`;
    if (ours.some((one) => isSame(one, address))) {
      findings.push(ok('LISTEN_OURS', `${target} is where the running bridge listens`));
      continue;
    }
    const failure = await bindFailure(address);
    const other = ours.find(({ port }) => port === address.port);
    if (failure?.code === 'EADDRINUSE' && other !== undefined) {
      const why = `the running bridge has the port, on ${formatHostPort(other)}; its config is another one`;
      const next = `check with the config of that bridge, or choose another port with ${flag}`;
      findings.push(error('LISTEN_FAILED', `${target} can't be listened on: ${why}`, next));
      continue;
    }
    if (failure === undefined) findings.push(ok('LISTEN_FREE', `${target} can be listened on`));
    else {
      const [why, next] = explainListen(failure, address, flag);
      findings.push(error('LISTEN_FAILED', `${target} can't be listened on: ${why}`, next));
    }
  }
  return findings;
}

function bindFailure({ host, port }: HostPort): Promise<NodeJS.ErrnoException | undefined> {
  const server = createServer();
  return new Promise((settle) => {
    server.once('error', settle);
    server.listen({ host, port, exclusive: true }, () => server.close(() => settle(undefined)));
  });
}

/** What is wrong, and what to do. */
function explainListen(error: NodeJS.ErrnoException, { host, port }: HostPort, flag: string): [string, string] {
  switch (error.code) {
    case 'EADDRINUSE':
      return [
        'the port is in use, by something that is no bridge of this config',
        `end that process, or choose another port with ${flag}`,
      ];
    case 'EADDRNOTAVAIL':
      return [`${host} is no address of this host`, `write 127.0.0.1, or 0.0.0.0 for all addresses of this host`];
    case 'EACCES':
      return [`this user may not listen on port ${port}`, 'choose a port above 1023'];
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return [`the host "${host}" has no address`, 'write an IP address of this host'];
    default:
      return [error.message, `choose another address with ${flag}`];
  }
}

/** Whether the state folder can be used, and read. Makes and writes nothing. */
export async function stateFindings(stateDir: string): Promise<Finding[]> {
  const { ok, warning, error } = about(thisHost);
  const unusable = (what: string, next: string) => [
    error('STATE_UNUSABLE', `stateDir ${stateDir} can't be used: ${what}`, next),
  ];
  let folder = resolve(stateDir);
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const isThere = folder === resolve(stateDir);
  try {
    if (!statSync(folder).isDirectory()) return unusable(`${folder} is a file`, 'choose a folder with --state-dir');
    accessSync(folder, constants.W_OK | constants.X_OK);
  } catch (failure) {
    const code = (failure as NodeJS.ErrnoException).code;
    const what = code === 'EACCES' ? `this user may not write to ${folder}` : messageOf(failure);
    return unusable(what, 'choose a folder that this user may write to, with --state-dir');
  }
  if (!isThere) return [ok('STATE_USABLE', `stateDir ${stateDir} is not there yet, and can be made`)];
  const file = join(folder, 'collections.json');
  try {
    if (existsSync(file)) JSON.parse(readFileSync(file, 'utf8'));
  } catch (failure) {
    const what = `${file} can't be read (${messageOf(failure)}); what it remembered will be learned anew`;
    return [warning('STATE_UNREADABLE', what, 'delete the file')];
  }
  return [ok('STATE_USABLE', `stateDir ${stateDir} can be written to`), ...(await fileFindings(folder))];
}

/** What is to be said of the last-known-good files. */
async function fileFindings(stateDir: string): Promise<Finding[]> {
  const { warning } = about(thisHost);
  const folder = join(stateDir, stateFolder);
  if (!existsSync(folder)) return [];
  const findings: Finding[] = [];
  if ((statSync(folder).mode & 0o002) !== 0) {
    const what = `everybody on this host may write to ${folder}, and so change what is served after a restart`;
    findings.push(warning('STATE_OPEN_TO_ALL', what, `chmod o-w ${folder}`));
  }
  for (const name of readdirSync(folder).filter((one) => one.endsWith(stateExtension))) {
    const file = join(folder, name);
    try {
      await readHeader(await readRegularFile(realFs, file));
    } catch (failure) {
      // The bridge that runs replaces its files.
      if (isMissing(failure)) continue;
      const what = `${file} can't be read: ${messageOf(failure)}; after a restart the one before it would be served`;
      findings.push(warning('STATE_UNREADABLE', what, 'look at the disk'));
    }
  }
  return findings;
}
