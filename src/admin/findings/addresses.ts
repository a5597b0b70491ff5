import { nearShare } from '../../model/size-level.ts';
import { numberText } from '../../model/texts.ts';

/**
 * istiod runs out of virtual addresses for ServiceEntries without `addresses` (measured on 1.24.0). From 1.25 on this
 * allocation is off by default (PILOT_ENABLE_IP_AUTOALLOCATE replaces it).
 */
export const virtualAddresses = 65_024;

/** Undefined where istiod has enough virtual addresses for so many hosts, or nobody has counted them. */
export function addressProblem(hosts: number | null): string | undefined {
  if (hosts === null || hosts < virtualAddresses * nearShare) return undefined;
  return `${numberText(hosts)} hosts of ServiceEntries without addresses; istiod up to 1.24 has virtual addresses for ${numberText(virtualAddresses)}`;
}
