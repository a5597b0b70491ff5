import { valueText, type Path } from '../problem.ts';
import { checkCondition, type Condition } from './authorization-condition.ts';
import { checkIps, checkPorts, checkTexts, type Texts } from './authorization-values.ts';
import { checkSelector } from './labels.ts';
import { each, hasOnly, isEmpty, type Report, type Subject } from './violation.ts';

type Source = Readonly<Record<string, Texts>>;

type Operation = Readonly<Record<string, Texts>>;

type Rule = {
  readonly from?: readonly { readonly source?: Source }[];
  readonly to?: readonly { readonly operation?: Operation }[];
  readonly when?: readonly Condition[];
};

type AuthorizationPolicy = {
  readonly selector?: { readonly matchLabels?: Readonly<Record<string, string>> };
  readonly rules?: readonly Rule[];
  /** @default 'ALLOW' */
  readonly action?: string | number;
  readonly provider?: { readonly name?: string };
};

const addressLists = ['ipBlocks', 'notIpBlocks', 'remoteIpBlocks', 'notRemoteIpBlocks'];
const identityLists = ['principals', 'requestPrincipals', 'namespaces'];
const sourceLists = withOpposites(identityLists).concat(addressLists);
const operationLists = withOpposites(['hosts', 'methods', 'paths']);
const portLists = withOpposites(['ports']);
/** What CUSTOM can't ask for. */
const customLists = withOpposites(identityLists);

/** Source: pkg/config/validation ValidateAuthorizationPolicy, 1.14 to 1.31. */
export function checkAuthorizationPolicy(spec: object, subject: Subject, report: Report): void {
  const { selector, rules, action = 'ALLOW', provider } = spec as AuthorizationPolicy;
  const path: Path = ['spec', 'rules'];
  checkSelector(report, ['spec', 'selector', 'matchLabels'], selector?.matchLabels);
  if ((action === 'CUSTOM' || action === 'DENY') && isEmpty(rules)) {
    report('missing', path, `is empty, and ${action} without a rule does nothing`, 'add the rule {} for all requests');
  } else if (action === 'CUSTOM' && (provider?.name ?? '') === '') {
    report('missing', ['spec', 'provider', 'name'], 'is missing, and CUSTOM needs it', 'name an extension provider');
  }
  if (provider !== undefined && action !== 'CUSTOM') {
    report('conflict', ['spec', 'provider'], 'is given, and the action is not CUSTOM', 'keep one of the two');
  }
  checkDryRun(report, action, subject.annotations?.[dryRun]);
  each(rules, path, ({ from, to, when }, at) => {
    each(from, [...at, 'from'], ({ source }, here) => checkSource(report, [...here, 'source'], source, action));
    each(to, [...at, 'to'], ({ operation }, here) => checkOperation(report, [...here, 'operation'], operation));
    each(when, [...at, 'when'], (condition, here) => checkCondition(report, here, condition, action === 'CUSTOM'));
  });
}

/** Of an AuthorizationPolicy only; the value of a DENY or ALLOW is a boolean. */
export const dryRun = 'istio.io/dry-run';

/** Texts that Go's ParseBool takes. */
const booleans = ['1', 't', 'T', 'TRUE', 'true', 'True', '0', 'f', 'F', 'FALSE', 'false', 'False'];

/** Source: pkg/config/validation checkDryRunAnnotation, 1.14 to 1.31. */
function checkDryRun(report: Report, action: string | number, value: string | undefined): void {
  if (value === undefined) return;
  const path: Path = ['metadata', 'annotations', dryRun];
  if (action !== 'ALLOW' && action !== 'DENY') {
    report('annotations', path, `is given, and the action is ${action}`, 'remove it, or write ALLOW or DENY');
  } else if (!booleans.includes(value)) {
    report('annotations', path, `${valueText(value)} is not true or false`, 'write "true" or "false"');
  }
}

function checkSource(report: Report, at: Path, source: Source | undefined, action: string | number): void {
  if (source === undefined || hasOnly(source)) {
    report('missing', at, 'is empty', 'say where the requests come from, or remove it');
    return;
  }
  for (const name of sourceLists) checkTexts(report, [...at, name], source[name]);
  for (const name of addressLists) checkIps(report, [...at, name], source[name]);
  for (const name of customLists.filter((list) => action === 'CUSTOM' && !isEmpty(source[list]))) {
    report(
      'unsupported',
      [...at, name],
      'is given, and CUSTOM can not ask for it',
      'remove it, or let the provider ask',
    );
  }
}

function checkOperation(report: Report, at: Path, operation: Operation | undefined): void {
  if (operation === undefined || hasOnly(operation)) {
    report('missing', at, 'is empty', 'say what is requested, or remove it');
    return;
  }
  for (const name of operationLists) checkTexts(report, [...at, name], operation[name]);
  for (const name of portLists) checkPorts(report, [...at, name], operation[name]);
}

/** `hosts` and `notHosts`. */
function withOpposites(names: readonly string[]): string[] {
  return names.flatMap((name) => [name, `not${name.slice(0, 1).toUpperCase()}${name.slice(1)}`]);
}
