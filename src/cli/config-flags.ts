import type { Argv } from 'yargs';
import type { ConfigInput } from '../config/schema.ts';
import { type ProfileName, profileNames, sourceProfiles } from '../legacy/source-profile.ts';
import { IsthmusError } from '../model/errors.ts';
import { invalidPolicies } from '../model/invalid-policy.ts';
import { logFormats } from '../model/logger.ts';

/** The flags that make a config, of `serve` and of verbs that look at one. */
export function configOptions(yargs: Argv) {
  return yargs
    .option('config', { type: 'string', describe: 'YAML file with settings; flags win over it' })
    .option('source', {
      type: 'string',
      array: true,
      nargs: 1,
      describe:
        'Legacy server to dial: NAME=mcp://HOST:PORT[?profile=P&collections=a,b], mcps:// over TLS (repeatable)',
    })
    .option('confirm-removal', {
      type: 'string',
      array: true,
      nargs: 1,
      describe: 'Source, or NAME/COLLECTION, that was taken out and whose resources are to go (repeatable)',
    })
    .option('xds-listen', {
      type: 'string',
      describe: 'Where istiod connects; for istiods alone [default: 127.0.0.1:15410]',
    })
    .option('sink-listen', {
      type: 'string',
      describe: 'Where legacy sources dial in that do so; for those alone [default: off]',
    })
    .option('admin-listen', {
      type: 'string',
      describe: 'Health, metrics, debug pages; for operators, shows everything [default: 127.0.0.1:15480]',
    })
    .option('admin-token-file', {
      type: 'string',
      nargs: 1,
      describe: 'File with a token for changes from other hosts [default: this host alone may change something]',
    })
    .option('metrics-listen', {
      type: 'string',
      describe: 'A second listener, metrics and health only; for Prometheus and probes [default: off]',
    })
    .option('legacy-listen', {
      type: 'string',
      describe: 'Where a Pilot up to 1.8 connects, without TLS; for those alone [default: off]',
    })
    .option('state-dir', { type: 'string', describe: 'Folder for what should outlive a restart [default: off]' })
    .option('debounce-after', { type: 'string', describe: 'Quiet time that ends a burst of changes [default: 50ms]' })
    .option('debounce-max', { type: 'string', describe: 'Longest burst of changes [default: 1s]' })
    .option('guard-max-removal-percent', {
      type: 'number',
      nargs: 1,
      describe: 'Removals above this share, and above the next number, are held [default: 50]',
    })
    .option('guard-min-removed', { type: 'number', nargs: 1, describe: 'So many removals always pass [default: 20]' })
    .option('guard-hold', { type: 'string', describe: 'After so long the source is asked again [default: 5m]' })
    .option('quarantine-invalid', {
      choices: invalidPolicies,
      describe: 'What to do with a form that breaks a rule of Istio [default: keepLastGood]',
    })
    .option('log-level', {
      type: 'string',
      nargs: 1,
      describe: 'What is logged: debug, info, warn or error; of a component: info,sources=debug [default: info]',
    })
    .option('log-format', {
      choices: logFormats,
      describe: 'How it looks: text for people, or JSON [default: auto, text on a terminal]',
    });
}

/** What {@link configOptions} give. */
export type ConfigFlags = Awaited<ReturnType<typeof configOptions>['argv']>;

/** The settings that flags give; none of them is looked at. */
export function configOf(flags: ConfigFlags): ConfigInput {
  const given = <T>(key: string, value: T | undefined) => (value === undefined ? {} : { [key]: value });
  return {
    ...(flags.source === undefined ? {} : { sources: flags.source.map(parseSource) }),
    ...given('confirmRemoval', flags.confirmRemoval),
    ...(flags.xdsListen === undefined ? {} : { xds: { listen: flags.xdsListen } }),
    ...(flags.sinkListen === undefined ? {} : { sink: { listen: flags.sinkListen } }),
    ...(flags.adminListen === undefined && flags.adminTokenFile === undefined
      ? {}
      : { admin: { ...given('listen', flags.adminListen), ...given('tokenFile', flags.adminTokenFile) } }),
    ...(flags.metricsListen === undefined ? {} : { metrics: { listen: flags.metricsListen } }),
    ...(flags.legacyListen === undefined ? {} : { legacy: { listen: flags.legacyListen } }),
    ...given('stateDir', flags.stateDir),
    ...(flags.debounceAfter === undefined && flags.debounceMax === undefined
      ? {}
      : { debounce: { ...given('after', flags.debounceAfter), ...given('max', flags.debounceMax) } }),
    ...guardOf(flags),
    ...(flags.quarantineInvalid === undefined ? {} : { quarantine: { invalid: flags.quarantineInvalid } }),
    ...(flags.logLevel === undefined && flags.logFormat === undefined
      ? {}
      : { log: { ...given('level', flags.logLevel), ...given('format', flags.logFormat) } }),
  };
}

function guardOf(flags: ConfigFlags): Pick<ConfigInput, 'guard'> {
  const { guardMaxRemovalPercent: maxRemovalPercent, guardMinRemoved: minRemoved, guardHold: hold } = flags;
  const guard = {
    ...(maxRemovalPercent === undefined ? {} : { maxRemovalPercent }),
    ...(minRemoved === undefined ? {} : { minRemoved }),
    ...(hold === undefined ? {} : { hold }),
  };
  return Object.keys(guard).length === 0 ? {} : { guard };
}

/**
 * `NAME=mcp://HOST:PORT[?profile=P&collections=a,b]`.
 * @throws IsthmusError USAGE
 */
export function parseSource(text: string): NonNullable<ConfigInput['sources']>[number] {
  const usage = (what: string) =>
    new IsthmusError('USAGE', '--source', `"${text}" ${what}`, {
      hint: 'write NAME=mcp://HOST:PORT, for example galley=mcp://127.0.0.1:9901',
    });
  const match = /^([^=?]+)=([^?]+)(?:\?(.*))?$/.exec(text);
  if (match === null) throw usage('is no NAME=mcp://HOST:PORT');
  const [, name = '', address = '', query = ''] = match;
  const parameters = new URLSearchParams(query);
  const unknown = [...parameters.keys()].find((key) => !['profile', 'collections'].includes(key));
  if (unknown !== undefined) throw usage(`has an unknown parameter "${unknown}"; known: profile, collections`);
  const profile = parameters.get('profile');
  if (profile !== null && !isProfile(profile)) {
    throw usage(`has an unknown profile "${profile}"; known: auto, ${profileNames.join(', ')}`);
  }
  const collections = parameters.getAll('collections').flatMap((list) => list.split(',').map((part) => part.trim()));
  return {
    name,
    address,
    ...(profile === null ? {} : { profile }),
    ...(collections.length === 0 ? {} : { collections }),
  };
}

function isProfile(text: string): text is ProfileName | 'auto' {
  return text === 'auto' || Object.hasOwn(sourceProfiles, text);
}
