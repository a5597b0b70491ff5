import { valueText, type Path } from '../problem.ts';
import { each, eachEntry, isEmpty, type Report } from './violation.ts';

export type LocalitySettings = {
  readonly distribute?: readonly { readonly from?: string; readonly to?: Readonly<Record<string, number>> }[];
  readonly failover?: readonly { readonly from?: string; readonly to?: string }[];
};

/**
 * A `*` that holds other localities is left to others: Istio finds it in one order only, and maps have none.
 * Source: pkg/config/validation ValidateLocalityLbSetting, 1.14 to 1.31.
 */
export function checkLocality(report: Report, at: Path, { distribute, failover }: LocalitySettings): void {
  if (!isEmpty(distribute) && !isEmpty(failover)) {
    report('conflict', [...at, 'failover'], 'is given beside distribute', 'keep one of the two');
  }
  each(distribute, [...at, 'distribute'], ({ to }, here) => {
    checkWeights(report, [...here, 'to'], to);
    checkLocalities(report, [...here, 'to'], Object.keys(to ?? {}));
  });
  const sources = (distribute ?? []).map(({ from = '' }) => from);
  checkLocalities(report, [...at, 'distribute'], sources);
  each(failover, [...at, 'failover'], ({ from = '', to = '' }, here) => {
    if (from === to) report('locality', here, 'goes from a region to itself', 'name two regions');
    if (/[/*]/.test(from + to)) {
      report('locality', here, 'holds "/" or "*", and goes between whole regions', 'name two regions');
    }
  });
}

function checkWeights(report: Report, at: Path, to: Readonly<Record<string, number>> = {}): void {
  eachEntry(to, at, (_locality, weight, here) => {
    if (weight >= 1 && weight <= 100) return;
    report('weights', here, `${weight} is no weight of a locality`, 'write a number from 1 to 100');
  });
  const total = Object.values(to).reduce((sum, weight) => sum + weight, 0);
  if (total !== 100) report('weights', at, `the weights are ${total} in all`, 'make them add up to 100');
}

/** Reports localities with empty parts, with a `*` before their end, and those that hold another one. */
function checkLocalities(report: Report, at: Path, localities: readonly string[]): void {
  for (const [index, locality] of localities.entries()) {
    const star = locality.indexOf('*');
    if (star >= 0 && star !== locality.length - 1) {
      report('locality', at, `${valueText(locality)} holds "*" before its end`, 'write it at the end only');
    }
    const parts = partsOf(locality);
    if (parts.includes('')) {
      report('locality', at, `${valueText(locality)} has an empty part`, 'write it as in "region/zone/subzone"');
    }
    const other = localities.slice(0, index).find((earlier) => overlap(parts, partsOf(earlier)));
    if (other !== undefined) {
      const message = `${valueText(locality)} overlaps with ${valueText(other)}`;
      report('locality', at, message, 'name localities that do not hold each other');
    }
  }
}

/** Region, zone and subzone; whatever follows belongs to the subzone. */
function partsOf(locality: string): string[] {
  const [region = '', zone, ...subzone] = locality.split('/');
  if (zone === undefined) return [region];
  return subzone.length === 0 ? [region, zone] : [region, zone, subzone.join('/')];
}

/** True where they are the same, or one is the region or zone in which the other lies. */
function overlap(a: readonly string[], b: readonly string[]): boolean {
  const [outer, inner] = a.length < b.length ? [a, b] : [b, a];
  return outer.every((part, index) => part === inner[index]);
}
