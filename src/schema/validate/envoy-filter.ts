import { valueText, type Path } from '../problem.ts';
import { checkSelector } from './labels.ts';
import { regexFault } from './regex.ts';
import { each, type Report, type Subject } from './violation.ts';

type Filter = { readonly name?: string; readonly subFilter?: { readonly name?: string } };

type Match = {
  readonly context?: string | number;
  readonly proxy?: { readonly proxyVersion?: string };
  readonly listener?: { readonly filterChain?: { readonly filter?: Filter } };
  readonly routeConfiguration?: object;
  readonly cluster?: object;
};

type ConfigPatch = {
  /** @default 'INVALID' */
  readonly applyTo?: string | number;
  readonly match?: Match;
  readonly patch?: { readonly operation?: string | number; readonly value?: object };
};

type EnvoyFilter = {
  readonly workloadSelector?: { readonly labels?: Readonly<Record<string, string>> };
  readonly configPatches?: readonly ConfigPatch[];
};

const targets = ['listener', 'routeConfiguration', 'cluster'] as const;

/** What a patch of each kind may match. */
const targetOf: Readonly<Record<string, (typeof targets)[number]>> = {
  LISTENER: 'listener',
  FILTER_CHAIN: 'listener',
  NETWORK_FILTER: 'listener',
  HTTP_FILTER: 'listener',
  ROUTE_CONFIGURATION: 'routeConfiguration',
  VIRTUAL_HOST: 'routeConfiguration',
  HTTP_ROUTE: 'routeConfiguration',
  CLUSTER: 'cluster',
};

const connectionManagers = ['envoy.filters.network.http_connection_manager', 'envoy.http_connection_manager'];

/** From 1.31 on a proxyVersion beyond this is left out, not refused. */
const maxProxyVersion = 1024;

/**
 * The value of a patch is Envoy's, whose types are not known here: it is not looked at.
 * Source: pkg/config/validation/envoyfilter validateEnvoyFilter (validation.go up to 1.21), 1.14 to 1.31.
 */
export function checkEnvoyFilter(spec: object, _subject: Subject, report: Report): void {
  const { workloadSelector, configPatches } = spec as EnvoyFilter;
  checkSelector(report, ['spec', 'workloadSelector', 'labels'], workloadSelector?.labels);
  each(configPatches, ['spec', 'configPatches'], (patch, at) => {
    // Newer ones do not look at patches for waypoints.
    if (patch.match?.context !== 'WAYPOINT' && typeof patch.match?.context !== 'number') checkPatch(report, at, patch);
  });
}

function checkPatch(report: Report, at: Path, { applyTo = 'INVALID', match, patch }: ConfigPatch): void {
  if (applyTo === 'INVALID') report('missing', [...at, 'applyTo'], 'is missing', 'say what is patched, as in CLUSTER');
  const { operation = 'INVALID', value } = patch ?? {};
  if (patch === undefined) report('missing', [...at, 'patch'], 'is missing', 'write its operation and value');
  else if (operation === 'INVALID') {
    report('missing', [...at, 'patch', 'operation'], 'is missing', 'write one, as in MERGE');
  } else if (operation !== 'REMOVE' && value === undefined) {
    report('missing', [...at, 'patch', 'value'], `is missing, and ${operation} needs it`, 'write a value');
  }
  const { proxyVersion = '' } = match?.proxy ?? {};
  const fault = Buffer.byteLength(proxyVersion) > maxProxyVersion ? undefined : regexFault(proxyVersion);
  if (fault !== undefined) {
    const message = `${valueText(proxyVersion)} ${fault}`;
    report('regex', [...at, 'match', 'proxy', 'proxyVersion'], message, 'write an RE2 expression');
  }
  if (match !== undefined) checkMatch(report, [...at, 'match'], String(applyTo), match);
}

function checkMatch(report: Report, at: Path, applyTo: string, match: Match): void {
  const wanted = targetOf[applyTo];
  const other = targets.find((target) => target !== wanted && match[target] !== undefined);
  if (wanted === undefined) return;
  if (other !== undefined) {
    const message = `is given, and what ${applyTo} patches is matched by ${wanted}`;
    report('conflict', [...at, other], message, `write ${wanted}, or another applyTo`);
  }
  const filter = match.listener?.filterChain?.filter;
  if (wanted === 'listener' && filter !== undefined) {
    checkFilter(report, [...at, 'listener', 'filterChain', 'filter'], applyTo, filter);
  }
}

function checkFilter(report: Report, at: Path, applyTo: string, { name = '', subFilter }: Filter): void {
  if (name === '') report('missing', [...at, 'name'], 'is missing', 'name the filter');
  else if (subFilter !== undefined) {
    const path = [...at, 'subFilter'];
    if (applyTo !== 'HTTP_FILTER') {
      report('conflict', path, `is given, and ${applyTo} patches no HTTP filter`, 'write applyTo: HTTP_FILTER');
    } else if (!connectionManagers.includes(name)) {
      const message = `is given, and ${valueText(name)} has no filters inside`;
      report('conflict', path, message, `match the filter ${connectionManagers[0]}`);
    } else if ((subFilter.name ?? '') === '') report('missing', [...path, 'name'], 'is missing', 'name the filter');
  }
}
