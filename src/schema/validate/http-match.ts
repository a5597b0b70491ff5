import { valueText, type Path } from '../problem.ts';
import { isDnsLabel } from './domains.ts';
import { checkGatewayNames } from './gateway-names.ts';
import { checkLabels } from './labels.ts';
import { checkPort } from './ports.ts';
import { checkRegex } from './regex.ts';
import { eachEntry, type Report } from './violation.ts';

/** One of its fields, or none. */
export type StringMatch = { readonly exact?: string; readonly prefix?: string; readonly regex?: string };

export type HttpMatch = {
  readonly uri?: StringMatch;
  readonly scheme?: StringMatch;
  readonly method?: StringMatch;
  readonly authority?: StringMatch;
  readonly headers?: Readonly<Record<string, StringMatch>>;
  readonly withoutHeaders?: Readonly<Record<string, StringMatch>>;
  readonly queryParams?: Readonly<Record<string, StringMatch>>;
  readonly port?: number;
  readonly sourceLabels?: Readonly<Record<string, string>>;
  readonly gateways?: readonly string[];
  readonly sourceNamespace?: string;
};

const parts = ['uri', 'scheme', 'method', 'authority'] as const;

/**
 * `delegates`: the route delegates, or is delegated to: before 1.22 its regular expressions are not looked at.
 * Source: pkg/config/validation/virtualservice.go validateHTTPRouteMatchRequest, 1.14 to 1.31.
 */
export function checkHttpMatch(report: Report, at: Path, match: HttpMatch, delegates: boolean): void {
  const checkMatch = (where: Path, { regex }: StringMatch = {}): void => {
    if (regex !== undefined && !delegates) checkRegex(report, [...where, 'regex'], regex);
  };
  for (const part of parts) checkMatch([...at, part], match[part]);
  eachEntry(match.queryParams, [...at, 'queryParams'], (_name, value, here) => checkMatch(here, value));
  eachEntry(match.headers, [...at, 'headers'], (name, value, here) => {
    if (name === '') report('headers', here, 'has no name', 'name the header');
    checkMatch(here, value);
  });
  if (match.port !== undefined && match.port !== 0) checkPort(report, [...at, 'port'], match.port);
  checkLabels(report, [...at, 'sourceLabels'], match.sourceLabels);
  checkGatewayNames(report, [...at, 'gateways'], match.gateways);
  const { sourceNamespace = '' } = match;
  if (sourceNamespace !== '' && !isDnsLabel(sourceNamespace)) {
    const message = `${valueText(sourceNamespace)} is no namespace`;
    report('names', [...at, 'sourceNamespace'], message, 'write the name of a namespace');
  }
}

/**
 * True for a header that stands for a claim of a JWT, in the form that all know; newer ones also take brackets.
 * Source: pkg/config/validation ValidateVirtualService (1.14 to 1.16), pkg/jwt/routing.go (later ones).
 */
export const isClaim = (header: string): boolean => /^@request\.auth\.claims\../.test(header);
