import type { Resource, ResourceFault } from '../scan/resources.ts';
import type { Scanned } from '../scan/scan.ts';

/** Faults of one type of all resources, those behind the bridge too. */
export function faultsOf(
  { resources, behind = [] }: Scanned,
  type: ResourceFault['type'],
): { readonly resource: Resource; readonly fault: ResourceFault }[] {
  return [...resources, ...behind].flatMap((resource) =>
    resource.faults.filter((fault) => fault.type === type).map((fault) => ({ resource, fault })),
  );
}
