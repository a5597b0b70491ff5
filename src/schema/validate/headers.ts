import { valueText, type Path } from '../problem.ts';
import { each, eachEntry, type Report } from './violation.ts';

type Operations = {
  readonly set?: Readonly<Record<string, string>>;
  readonly add?: Readonly<Record<string, string>>;
  readonly remove?: readonly string[];
};

export type Headers = { readonly request?: Operations; readonly response?: Operations };

const isAuthority = (name: string): boolean => [':authority', 'host'].includes(name.toLowerCase());
const isInternal = (name: string): boolean => name.startsWith(':') || name.toLowerCase() === 'host';

/**
 * Reports headers that can't be set, added or removed. Source: pkg/config/validation/virtualservice.go
 * validateHTTPRoute, 1.14 to 1.31. Of a destination's headers, versions before 1.21 refuse `:authority` too.
 */
export function checkHeaders(report: Report, at: Path, { request, response }: Headers): void {
  checkOperations(report, [...at, 'request'], request, (name) => isInternal(name) && !isAuthority(name));
  checkOperations(report, [...at, 'response'], response, isInternal);
}

function checkOperations(
  report: Report,
  at: Path,
  { set, add, remove }: Operations = {},
  isForbidden: (name: string) => boolean,
): void {
  const checkEntry = (name: string, value: string, here: Path): void => {
    checkName(report, here, name, isForbidden(name));
    checkValue(report, here, value);
  };
  eachEntry(set, [...at, 'set'], checkEntry);
  eachEntry(add, [...at, 'add'], checkEntry);
  each(remove, [...at, 'remove'], (name, here) => checkName(report, here, name, isInternal(name)));
}

function checkName(report: Report, at: Path, name: string, isForbidden: boolean): void {
  if (name === '') report('headers', at, 'has no name', 'name the header');
  else if (isForbidden) report('headers', at, `${valueText(name)} can't be changed here`, 'remove it');
}

/**
 * 1.14 counts the `%`, later versions read the value as Envoy does. They agree where there are no arguments.
 * Source: pkg/config/validation ValidateHTTPHeaderValue.
 */
function checkValue(report: Report, at: Path, value: string): void {
  if (value.split('%').length % 2 === 1 || value.includes('(')) return;
  const hint = 'write %% for the sign itself, and a variable as in %HOSTNAME%';
  // The value may be a secret: the path says which one it is.
  report('headers', at, 'has a "%" without its partner', hint);
}

/**
 * Reports an authority that is set at more than one place.
 * Source: pkg/config/validation/virtualservice.go validateAuthorityRewrite, 1.14 to 1.31.
 */
export function checkAuthority(report: Report, at: Path, rewritten: string, { request }: Headers): void {
  const set = [...Object.entries(request?.set ?? {}), ...Object.entries(request?.add ?? {})];
  const values = [rewritten, ...set.filter(([name]) => isAuthority(name)).map(([, value]) => value)];
  if (values.filter((value) => value !== '').length < 2) return;
  report('conflict', at, 'set the authority (host) more than once', 'set it in rewrite or in one header');
}
