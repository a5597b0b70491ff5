import type { Path } from '../problem.ts';
import { checkSelector } from './labels.ts';
import { each, type Report, type Subject } from './violation.ts';

type JwtRule = {
  readonly issuer?: string;
  readonly audiences?: readonly string[];
  readonly jwksUri?: string;
  readonly jwks?: string;
  readonly fromHeaders?: readonly { readonly name?: string }[];
  readonly fromParams?: readonly string[];
};

type RequestAuthentication = {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly jwtRules?: readonly JwtRule[];
};

/** Source: pkg/config/validation ValidateRequestAuthentication, 1.14 to 1.31. */
export function checkRequestAuthentication(spec: object, _subject: Subject, report: Report): void {
  const { selector, jwtRules } = spec as RequestAuthentication;
  checkSelector(report, ['spec', 'selector', 'matchLabels'], selector?.matchLabels);
  each(jwtRules, ['spec', 'jwtRules'], (rule, at) => checkJwtRule(report, at, rule));
}

/** From 1.27 on a jwksUri stands for the issuer. */
function checkJwtRule(report: Report, at: Path, rule: JwtRule): void {
  const { issuer = '', jwksUri = '', jwks = '', audiences, fromHeaders, fromParams } = rule;
  if (issuer + jwksUri === '') report('missing', [...at, 'issuer'], 'is missing', 'write the iss claim of the tokens');
  if (jwksUri !== '' && !/^https?:/i.test(jwksUri)) {
    report(
      'unsupported',
      [...at, 'jwksUri'],
      'is no URL of http or https',
      'write https://… , or put the keys in jwks',
    );
  }
  // A key itself is left to others; its text is never shown.
  if (jwks !== '' && !isJsonObject(jwks)) {
    report('unsupported', [...at, 'jwks'], 'is no JSON object', 'write a JSON Web Key Set, { "keys": […] }');
  }
  const checkText = (text: string, here: Path): void => {
    if (text === '') report('missing', here, 'is empty', 'write a text, or remove it');
  };
  each(audiences, [...at, 'audiences'], checkText);
  each(fromParams, [...at, 'fromParams'], checkText);
  each(fromHeaders, [...at, 'fromHeaders'], ({ name = '' }, here) => checkText(name, [...here, 'name']));
}

const isJsonObject = (text: string): boolean => text.trimStart().startsWith('{');
