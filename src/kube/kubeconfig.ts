import type { KubeConfig } from '@kubernetes/client-node';
import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse, YAMLParseError } from 'yaml';
import { IsthmusError, messageOf } from '../model/errors.ts';
import { isRecord } from '../model/record.ts';
import { closest } from '../model/suggest.ts';

/** Which cluster is meant, as kubectl takes it. */
export type ClusterChoice = {
  /** A kubeconfig file. @default those of $KUBECONFIG, else ~/.kube/config, else what a Pod is given. */
  readonly kubeconfig?: string | undefined;
  /** @default the current one of the kubeconfig. */
  readonly context?: string | undefined;
  /** @default istio-system, whatever the context says. */
  readonly namespace?: string | undefined;
  /** What to do, for people, where there is no kubeconfig. @default to give one, or files. */
  readonly otherwise?: string | undefined;
};

/** Where a Pod finds what it needs to speak to its own cluster. */
const podToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/**
 * Reads the kubeconfig, and makes the chosen context the current one.
 * @throws IsthmusError USAGE, CONFIG_INVALID. No message has a part of the file in it.
 */
export async function loadKubeconfig({ kubeconfig, context, otherwise }: ClusterChoice): Promise<KubeConfig> {
  const files = filesOf(kubeconfig);
  if (files.length === 0 && !existsSync(podToken)) {
    throw new IsthmusError('USAGE', 'kubeconfig', 'there is none: no --kubeconfig, no KUBECONFIG, no ~/.kube/config', {
      hint:
        otherwise ??
        'give one with --kubeconfig; or work on files: kubectl -n istio-system get configmap istio -o yaml > cm.yaml',
    });
  }
  const { KubeConfig } = await import('@kubernetes/client-node');
  const config = new KubeConfig();
  if (files.length === 0) config.loadFromCluster();
  for (const file of files) add(config, file, readConfig(new KubeConfig(), file));
  choose(config, files.join(delimiter), context);
  return config;
}

/** The files to read; those of $KUBECONFIG that are not there are left out, as kubectl does. */
function filesOf(named: string | undefined): string[] {
  if (named !== undefined) return [named];
  const listed = (process.env['KUBECONFIG'] ?? '').split(delimiter).filter((file) => file !== '');
  if (listed.length > 0) {
    const there = listed.filter((file) => existsSync(file));
    if (there.length > 0) return there;
    throw new IsthmusError('USAGE', 'KUBECONFIG', `there is no file ${listed.join(' and no ')}`, {
      hint: 'set it anew, or give --kubeconfig',
    });
  }
  const ofHome = join(homedir(), '.kube', 'config');
  return existsSync(ofHome) ? [ofHome] : [];
}

function readConfig(config: KubeConfig, file: string): KubeConfig {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new IsthmusError('USAGE', file, `can’t be read: ${messageOf(error)}`, {
      hint: 'give a kubeconfig file with --kubeconfig',
    });
  }
  let value: unknown;
  try {
    // No warnings: they would show the line too.
    value = parse(text, { logLevel: 'error' });
  } catch (error) {
    // The text of the error would show the line, which may hold a token.
    const line = error instanceof YAMLParseError ? error.linePos?.[0].line : undefined;
    throw invalid(file, `is no readable YAML${line === undefined ? '' : `: see line ${line}`}`);
  }
  if (!isRecord(value) || !('clusters' in value)) throw invalid(file, 'is no kubeconfig: it has no clusters');
  try {
    const users = usersOf(value['users'], dirname(file));
    // Left empty it is none, as for kubectl.
    const current = value['current-context'] ?? '';
    config.loadFromString(JSON.stringify({ ...value, users, 'current-context': current }));
    config.makePathsAbsolute(resolve(dirname(file)));
  } catch (error) {
    throw invalid(file, `is no whole kubeconfig: ${messageOf(error)}`);
  }
  const strange = whatIsNoText(config);
  if (strange !== undefined) throw invalid(file, `is no whole kubeconfig: ${strange} is no text`);
  return config;
}

/** The client takes names and the current context as they come; kubectl takes texts alone. */
function whatIsNoText({ clusters, users, contexts, currentContext }: KubeConfig): string | undefined {
  const isNoText = ({ name }: { readonly name: unknown }) => typeof name !== 'string';
  if (clusters.some(isNoText)) return 'the name of a cluster';
  if (users.some(isNoText)) return 'the name of a user';
  if (contexts.some(isNoText)) return 'the name of a context';
  return typeof currentContext === 'string' ? undefined : 'current-context';
}

const invalid = (file: string, message: string): IsthmusError =>
  new IsthmusError('CONFIG_INVALID', file, message, { hint: 'see that kubectl config view works with it' });

/** The client does not know `tokenFile`, which kubectl does. */
function usersOf(users: unknown, folder: string): unknown {
  if (!Array.isArray(users)) return users;
  return users.map((entry: unknown) => {
    const user = isRecord(entry) && isRecord(entry['user']) ? entry['user'] : undefined;
    const file = user?.['tokenFile'];
    if (!isRecord(entry) || user === undefined || typeof file !== 'string' || 'token' in user) return entry;
    return { ...entry, user: { ...user, token: readFileSync(resolve(folder, file), 'utf8').trim() } };
  });
}

/** Of what has the same name in several files, the first counts, as kubectl does. */
function add(config: KubeConfig, file: string, more: KubeConfig): void {
  try {
    const news = <One extends { readonly name: string }>(have: readonly One[], others: readonly One[]): One[] =>
      others.filter(({ name }) => !have.some((one) => one.name === name));
    config.loadFromOptions({
      clusters: [...config.clusters, ...news(config.clusters, more.clusters)],
      users: [...config.users, ...news(config.users, more.users)],
      contexts: [...config.contexts, ...news(config.contexts, more.contexts)],
      currentContext: config.currentContext || more.currentContext,
    });
  } catch (error) {
    throw invalid(file, messageOf(error));
  }
}

function choose(config: KubeConfig, files: string, context: string | undefined): void {
  const names = config.contexts.map(({ name }) => name);
  const name = context ?? config.currentContext;
  if (name === undefined || name === '') {
    throw new IsthmusError('USAGE', files, 'it has no current context', {
      hint: `give one with --context: ${names.join(', ')}`,
    });
  }
  const subject = context === undefined ? files : '--context';
  const chosen = config.contexts.find((one) => one.name === name);
  if (chosen === undefined) {
    const near = closest(name, names);
    throw new IsthmusError('USAGE', subject, `there is no context "${name}"`, {
      hint: `${near === undefined ? '' : `do you mean ${near}? `}there is ${names.length === 0 ? 'none' : names.join(', ')}`,
    });
  }
  config.setCurrentContext(name);
  if (config.getCurrentCluster() === null) {
    throw new IsthmusError(
      'CONFIG_INVALID',
      files,
      `context "${name}" names cluster "${chosen.cluster}", which it does not have`,
      {
        hint: 'see kubectl config get-contexts',
      },
    );
  }
}
