import type { OriginView } from '../views.ts';

/** Why a source is not connected, without its name and address, which its log needs in front of it. */
export function originProblem({ name, connection: { state, lastError } }: OriginView): string {
  if (lastError === null) return state === 'awaited' ? 'it has not dialled in yet' : state;
  const prefix = `source ${name} (`;
  return lastError.startsWith(prefix) ? lastError.replace(/^.*?\): /s, '') : lastError;
}
