import type { OriginView, ReloadReport } from '../views.ts';

/** What is served of a source, or of collections, that the config does not name any more, and what to do about it. */
export function retiredProblem({ name, address, kinds }: OriginView): { what: string; next: string } | undefined {
  const retired = kinds.filter(({ retiredSince }) => retiredSince !== null);
  if (retired.length === 0) return undefined;
  const isGone = address === null;
  const counts = retired.map(({ kind, effective }) => `${effective} ${kind}`).join(', ');
  const who = isGone ? `source ${name}` : `${retired.map(({ collection }) => collection).join(', ')} of source ${name}`;
  const names = isGone ? [name] : retired.map(({ collection }) => `${name}/${collection}`);
  return {
    what: `${who} is in the config no more, and what it had is served on: ${counts}`,
    next: `put it back; or, where that is to go, add confirmRemoval: [${names.join(', ')}] and send SIGHUP; without a config file, restart with --confirm-removal`,
  };
}

/** What counts as empty because its source was waited for long enough; nothing where that is so of nothing. */
export function overdueProblem({ name, kinds }: OriginView): string[] {
  const overdue = kinds.filter(({ sync }) => sync === 'overdue').map(({ kind }) => kind);
  if (overdue.length === 0) return [];
  return [
    `source ${name} has said nothing of ${overdue.join(', ')} within its syncTimeout: they count as empty until it does`,
  ];
}

/** What a source has that is sent to nobody; nothing where that is so of nothing, or it was not asked. */
export function droppedProblems({ name, dropped }: OriginView): { what: string; next: string }[] {
  return dropped.flatMap(({ collection, resources, names, instead }) => {
    if (resources === null || resources === 0) return [];
    const more = resources > names.length ? ', …' : '';
    const which = `${resources} in ${collection} (${names.join(', ')}${more})`;
    const what = `source ${name} has ${which}: istiod 1.9 and newer has no place for them, and none is sent`;
    return [{ what, next: `what replaces them: ${instead}` }];
  });
}

/** What is wrong with the config that was read again. */
export function reloadProblems(reload: ReloadReport | null | undefined): string[] {
  const { failed = null, needsRestart = [] } = reload ?? {};
  const findings: string[] = [];
  if (failed !== null)
    findings.push(`the config could not be read again at ${failed.at}; what was in force stays: ${failed.message}`);
  for (const { setting, inForce, wanted } of needsRestart) {
    findings.push(
      `${setting} needs a restart: ${JSON.stringify(wanted)} is in the config, ${JSON.stringify(inForce)} in force`,
    );
  }
  return findings;
}
