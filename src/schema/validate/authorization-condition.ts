import { valueText, type Path } from '../problem.ts';
import { checkIps, checkPorts, checkTexts, type Texts } from './authorization-values.ts';
import { isEmpty, type Report } from './violation.ts';

export type Condition = { readonly key?: string; readonly values?: Texts; readonly notValues?: Texts };

/** Those of 1.31; older ones lack some. */
const texts = [
  'source.namespace',
  'source.principal',
  'source.serviceAccount',
  'source.trustDomain',
  'request.auth.principal',
  'request.auth.audiences',
  'request.auth.presenter',
  'connection.sni',
];
const addresses = ['source.ip', 'remote.ip', 'destination.ip'];
/** Their name goes on: `request.headers[user-agent]`. */
const maps = ['request.headers', 'request.auth.claims', 'experimental.envoy.filters.'];

/**
 * `custom`: the action is CUSTOM, which can't ask who sent the request.
 * Source: pkg/config/security ValidateAttribute and pkg/config/validation ValidateAuthorizationPolicy, 1.14 to 1.31.
 */
export function checkCondition(report: Report, at: Path, condition: Condition, custom: boolean): void {
  const { key = '', values, notValues } = condition;
  const path = [...at, 'key'];
  if (key === '') report('missing', path, 'is missing', 'write an attribute, such as source.ip');
  else checkKey(report, path, key);
  if (isEmpty(values) && isEmpty(notValues)) {
    report('missing', [...at, 'values'], 'is empty, as is notValues', 'write a value');
  }
  for (const name of ['values', 'notValues'] as const) {
    checkTexts(report, [...at, name], condition[name]);
    if (addresses.includes(key)) checkIps(report, [...at, name], condition[name]);
    if (key === 'destination.port') checkPorts(report, [...at, name], condition[name]);
  }
  if (custom && (key === 'source.namespace' || key === 'source.principal' || key.startsWith('request.auth.'))) {
    report('unsupported', path, `${valueText(key)} is nothing that CUSTOM can ask for`, 'let the provider ask');
  }
}

function checkKey(report: Report, at: Path, key: string): void {
  if (texts.includes(key) || addresses.includes(key) || key === 'destination.port') return;
  const isMap = maps.some((name) => key.startsWith(name));
  if (isMap && /^[^[]+\[.+\]$/s.test(key)) return;
  const hint = isMap
    ? 'write a name in brackets, as in request.headers[user-agent]'
    : 'write an attribute of istio.io/docs/reference/config/security/conditions';
  report('unsupported', at, `${valueText(key)} is no attribute`, hint);
}
