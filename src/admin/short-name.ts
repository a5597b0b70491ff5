/** `ServiceEntry` of the id of its kind. */
export function shortName(kindId: string): string {
  return kindId.slice(kindId.lastIndexOf('/') + 1);
}
