import { valueText } from '../problem.ts';
import { checkWildcardDomain, isDnsLabel } from './domains.ts';
import { checkExportTo } from './export-to.ts';
import { checkLabels, checkSelector } from './labels.ts';
import { checkTrafficPolicy, type TrafficPolicy } from './traffic-policy.ts';
import { each, isEmpty, type Report, type Subject } from './violation.ts';

type Labels = Readonly<Record<string, string>>;

type DestinationRule = {
  readonly host?: string;
  readonly trafficPolicy?: TrafficPolicy;
  readonly subsets?: readonly {
    readonly name?: string;
    readonly labels?: Labels;
    readonly trafficPolicy?: TrafficPolicy;
  }[];
  readonly exportTo?: readonly string[];
  readonly workloadSelector?: { readonly matchLabels?: Labels };
};

/**
 * A rule without a host is one for the whole namespace up to 1.19 with PILOT_ENABLE_DESTINATION_RULE_INHERITANCE,
 * unless it has what such a rule may not have.
 * Source: pkg/config/validation ValidateDestinationRule, 1.14 to 1.31.
 */
export function checkDestinationRule(spec: object, { namespace }: Subject, report: Report): void {
  const { host = '', trafficPolicy, subsets, exportTo, workloadSelector } = spec as DestinationRule;
  if (host !== '') checkWildcardDomain(report, ['spec', 'host'], host);
  else if (!isEmpty(subsets) || !isEmpty(exportTo) || workloadSelector !== undefined) {
    report('missing', ['spec', 'host'], 'is missing', 'name the host of the service');
  }
  checkTrafficPolicy(report, ['spec', 'trafficPolicy'], trafficPolicy);
  each(subsets, ['spec', 'subsets'], ({ name = '', labels, trafficPolicy: policy }, at) => {
    checkSubsetName(report, [...at, 'name'], name);
    checkLabels(report, [...at, 'labels'], labels);
    checkTrafficPolicy(report, [...at, 'trafficPolicy'], policy);
  });
  checkExportTo(report, exportTo, namespace, { ownOnly: workloadSelector !== undefined });
  checkSelector(report, ['spec', 'workloadSelector', 'matchLabels'], workloadSelector?.matchLabels);
}

/** Source: pkg/config/validation validateSubsetName, 1.14 to 1.31. */
export function checkSubsetName(report: Report, at: readonly (string | number)[], name: string): void {
  if (isDnsLabel(name)) return;
  const hint = 'write 1 to 63 letters, digits and "-", which begin and end with a letter or digit';
  report('subsets', at, name === '' ? 'is missing' : `${valueText(name)} is no name of a subset`, hint);
}
