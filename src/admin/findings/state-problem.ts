import type { OriginView, StateReport } from '../views.ts';

/** What is served of a source that has not spoken since the bridge was started; nothing where it has. */
export function staleProblem({ name, kinds }: OriginView): string[] {
  const stale = kinds.filter(({ sync, retiredSince }) => sync === 'stale' && retiredSince === null);
  if (stale.length === 0) return [];
  const times = stale.flatMap(({ lastMessageAt }) => lastMessageAt ?? []).toSorted();
  const until = times.length === 0 ? '' : ` (the last change came ${times.at(-1)})`;
  const what = `what is served of ${stale.map(({ kind }) => kind).join(', ')} is what it said before the restart`;
  return [`source ${name} has not spoken since the bridge was started; ${what}${until}`];
}

/** What is wrong with the last-known-good files. */
export function stateProblems(state: StateReport | null): string[] {
  if (state === null) return [];
  const { folder, failing, problems } = state;
  const found = problems.map(({ file, what, next }) => `${file} could not be read: ${what}; ${next}`);
  if (failing === null) return found;
  return [...found, `nothing can be saved in ${folder} since ${failing.since}: ${failing.what} (${failing.hint})`];
}
