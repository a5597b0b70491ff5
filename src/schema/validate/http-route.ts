import { valueText, type Path } from '../problem.ts';
import { checkDestination, checkDestinations, type Destination, type WeightedDestination } from './destination.ts';
import { checkFault, type Fault } from './fault.ts';
import { checkAuthority, checkHeaders, type Headers } from './headers.ts';
import { checkHttpMatch, type HttpMatch, type StringMatch } from './http-match.ts';
import { checkDuration, checkPercent, type Double } from './numbers.ts';
import { checkPort } from './ports.ts';
import { checkRegex } from './regex.ts';
import { checkRetries, type Retries } from './retries.ts';
import { each, hasOnly, isEmpty, type Report } from './violation.ts';

type Redirect = {
  readonly scheme?: string;
  readonly redirectCode?: number;
  readonly port?: number;
};

type Cors = {
  readonly allowOrigins?: readonly StringMatch[];
  readonly allowMethods?: readonly string[];
  readonly allowHeaders?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAge?: unknown;
};

type Rewrite = { readonly authority?: string };

export type HttpRoute = {
  readonly match?: readonly HttpMatch[];
  readonly route?: readonly (WeightedDestination & { readonly headers?: Headers })[];
  readonly redirect?: Redirect;
  readonly directResponse?: object;
  readonly delegate?: object;
  readonly rewrite?: Rewrite;
  readonly timeout?: unknown;
  readonly retries?: Retries;
  readonly fault?: Fault;
  readonly mirror?: Destination;
  readonly mirrorPercent?: number;
  readonly mirrorPercentage?: { readonly value?: Double };
  readonly corsPolicy?: Cors;
  readonly headers?: Headers;
};

/**
 * `delegated`: the VirtualService has no hosts, so that others delegate to it.
 * Source: pkg/config/validation/virtualservice.go validateHTTPRoute, 1.14 to 1.31.
 */
export function checkHttpRoute(report: Report, at: Path, route: HttpRoute, delegated: boolean): void {
  const { match, headers = {}, rewrite, mirror, mirrorPercent, mirrorPercentage, timeout } = route;
  checkParts(report, at, route, delegated);
  const delegates = delegated || route.delegate !== undefined;
  each(match, [...at, 'match'], (request, here) => checkHttpMatch(report, here, request, delegates));
  checkHeaders(report, [...at, 'headers'], headers);
  checkAuthority(report, [...at, 'headers'], rewrite?.authority ?? '', headers);
  if (rewrite !== undefined && hasOnly(rewrite)) {
    report('missing', [...at, 'rewrite'], 'is empty', 'write uri or authority, or remove it');
  }
  if (route.corsPolicy !== undefined) checkCors(report, [...at, 'corsPolicy'], route.corsPolicy);
  if (route.fault !== undefined) checkFault(report, [...at, 'fault'], route.fault);
  checkPercent(report, [...at, 'mirrorPercent'], mirrorPercent);
  checkPercent(report, [...at, 'mirrorPercentage', 'value'], mirrorPercentage?.value);
  if (mirror !== undefined) checkDestination(report, [...at, 'mirror'], mirror);
  if (route.redirect !== undefined) checkRedirect(report, [...at, 'redirect'], route.redirect);
  if (route.retries !== undefined) checkRetries(report, [...at, 'retries'], route.retries);
  checkDestinations(report, [...at, 'route'], route.route);
  each(route.route, [...at, 'route'], (destination, here) => {
    if (destination.headers !== undefined) checkHeaders(report, [...here, 'headers'], destination.headers);
  });
  checkDuration(report, [...at, 'timeout'], timeout);
}

/** What a route may not have at once, and what it needs. Source: validateHTTPRouteConflict. */
function checkParts(report: Report, at: Path, route: HttpRoute, delegated: boolean): void {
  const conflict = (name: keyof HttpRoute, other: string): void => {
    if (name === 'route' ? isEmpty(route.route) : route[name] === undefined) return;
    report('conflict', [...at, name], `is given beside ${other}`, 'keep one of the two');
  };
  if (route.delegate !== undefined && !delegated) {
    conflict('redirect', 'delegate');
    conflict('route', 'delegate');
    return;
  }
  if (route.delegate !== undefined) {
    const message = 'is given, and this VirtualService, which has no hosts, is delegated to itself';
    report('conflict', [...at, 'delegate'], message, 'delegate once only');
  }
  if (route.redirect !== undefined) {
    for (const name of ['route', 'fault', 'rewrite'] as const) conflict(name, 'redirect');
  } else if (isEmpty(route.route) && route.directResponse === undefined) {
    report('missing', [...at, 'route'], 'is empty', 'add route, redirect or directResponse');
  }
}

/** Source: pkg/config/validation validateHTTPRedirect, 1.14 to 1.31. */
function checkRedirect(report: Report, at: Path, redirect: Redirect): void {
  const { redirectCode = 0, scheme = '', port = 0 } = redirect;
  if (hasOnly(redirect, ['redirectCode'])) {
    report('missing', at, 'leads nowhere', 'write uri, authority, scheme or port');
    return;
  }
  if (redirectCode !== 0 && (redirectCode < 300 || redirectCode > 399)) {
    report('numbers', [...at, 'redirectCode'], `${redirectCode} is no redirect`, 'write a code from 300 to 399');
  }
  if (!['', 'http', 'https'].includes(scheme)) {
    report('unsupported', [...at, 'scheme'], `${valueText(scheme)} is no scheme here`, 'write http or https');
  }
  if (port > 0) checkPort(report, [...at, 'port'], port);
}

/** Of CORS. `*` is one from 1.26 on. */
const methods = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'CONNECT', 'OPTIONS', 'TRACE'];

/** Source: pkg/config/validation validateCORSPolicy, 1.14 to 1.31. */
function checkCors(report: Report, at: Path, cors: Cors): void {
  each(cors.allowOrigins, [...at, 'allowOrigins'], ({ exact = '', prefix = '', regex = '' }, here) => {
    if (exact + prefix + regex === '') report('missing', here, 'is empty', 'write exact, prefix or regex');
    else if (regex !== '') checkRegex(report, [...here, 'regex'], regex);
  });
  each(cors.allowMethods, [...at, 'allowMethods'], (method, here) => {
    if (method === '*' || methods.includes(method)) return;
    report('unsupported', here, `${valueText(method)} is no method of HTTP`, `write one of ${methods.join(', ')}`);
  });
  for (const list of ['allowHeaders', 'exposeHeaders'] as const) {
    each(cors[list], [...at, list], (name, here) => {
      if (name === '') report('headers', here, 'has no name', 'name the header');
    });
  }
  const { maxAge } = cors;
  checkDuration(report, [...at, 'maxAge'], maxAge);
  if (typeof maxAge === 'string' && maxAge.includes('.') && !maxAge.startsWith('-')) {
    report('durations', [...at, 'maxAge'], `${valueText(maxAge)} has a part of a second`, 'write whole seconds');
  }
}
