import type { Path } from '../problem.ts';
import { checkSubsetName } from './destination-rule.ts';
import { checkWildcardDomain } from './domains.ts';
import { checkNotNegative } from './numbers.ts';
import { checkPort } from './ports.ts';
import { each, type Report } from './violation.ts';

export type Destination = {
  readonly host?: string;
  readonly subset?: string;
  readonly port?: { readonly number?: number };
};

export type WeightedDestination = { readonly destination?: Destination; readonly weight?: number };

/** Source: pkg/config/validation validateDestination, 1.14 to 1.31. */
export function checkDestination(report: Report, at: Path, { host = '', subset = '', port }: Destination): void {
  if (host === '*') report('hosts', [...at, 'host'], '"*" is no destination', 'name the host of a service');
  else checkWildcardDomain(report, [...at, 'host'], host);
  if (subset !== '') checkSubsetName(report, [...at, 'subset'], subset);
  if (port !== undefined) checkPort(report, [...at, 'port', 'number'], port.number);
}

/**
 * 1.14 wants the weights to be 100 in all, later ones that they are not 0.
 * Source: pkg/config/validation validateRouteDestinations, 1.14 to 1.31.
 */
export function checkDestinations(
  report: Report,
  at: Path,
  destinations: readonly WeightedDestination[] | undefined,
): void {
  each(destinations, at, ({ destination, weight }, here) => {
    if (destination === undefined) {
      report('missing', [...here, 'destination'], 'is missing', 'name the host to which traffic goes');
    } else checkDestination(report, [...here, 'destination'], destination);
    checkNotNegative(report, [...here, 'weight'], weight);
  });
  const weights = (destinations ?? []).map(({ weight = 0 }) => weight);
  if (weights.length > 1 && weights.every((weight) => weight === 0)) {
    report('weights', at, 'has several destinations without a weight', 'give them weights, 100 in all');
  }
}
