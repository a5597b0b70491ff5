import { setTimeout as sleep } from 'node:timers/promises';
import { look, type Question } from './look.ts';
import type { ResourceStatus, VerifyReport } from './report.ts';

export type WaitOptions = {
  /** 0 = one look. */
  readonly waitMs: number;
  /** Gets a line whenever there is something else to wait for. */
  readonly progress: (line: string) => void;
};

/** Between two looks; a look that takes long is followed by a longer pause. */
const pauseMs = 1000;

/** Looks again and again until all is equal, or what is left can't pass by waiting, or the time is over. */
export async function lookUntilEqual(question: Question, { waitMs, progress }: WaitOptions): Promise<VerifyReport> {
  const start = performance.now();
  let last = '';
  for (;;) {
    const begin = performance.now();
    const report = await look(question);
    const now = performance.now();
    const tookMs = Math.round(now - start);
    const pause = Math.max(pauseMs, now - begin);
    if (!mayPass(report) || tookMs + pause > waitMs) return { ...report, tookMs };
    const line = summaryOf(report);
    if (line !== last) progress(`${(tookMs / 1000).toFixed(0)} s of ${waitMs / 1000} s: ${line}`);
    last = line;
    await sleep(pause);
  }
}

/** What comes right by itself, once istiod and the bridge have had their time. */
const passing: ReadonlySet<ResourceStatus> = new Set(['missing', 'changed', 'extra']);

/** True where another look may find more of it equal. */
export function mayPass({ verdict, problems, istiods, direct }: Omit<VerifyReport, 'tookMs'>): boolean {
  if (verdict === 'equal') return false;
  if (verdict === 'unknown') return true;
  const differs = [...istiods, ...direct].some(({ differences }) =>
    differences.some(({ status }) => passing.has(status)),
  );
  return differs || problems.some((problem) => problem.severity === 'error' && problem.mayPass);
}

/** What is waited for, without a name: this may stand in logs. */
export function summaryOf({ bridge, admin, istiods, direct, problems }: Omit<VerifyReport, 'tookMs'>): string {
  const sides = [
    ...(bridge.error === null ? [] : [`the bridge: ${bridge.error.message}`]),
    ...(admin === null || admin.error === null ? [] : [`the bridge's pages: ${admin.error.message}`]),
    ...istiods.map(({ url, pod, error, differences, equal }) => ({ name: pod ?? url, error, differences, equal })),
    ...direct.map(({ address, error, differences, equal }) => ({ name: address, error, differences, equal })),
  ].flatMap((side) => {
    if (typeof side === 'string') return [side];
    if (side.error !== null) return [side.error.message];
    const counts = new Map<string, number>();
    for (const { status } of side.differences) counts.set(status, (counts.get(status) ?? 0) + 1);
    if (counts.size === 0) return [];
    return [
      `${side.name}: ${side.equal} equal, ${Array.from(counts, ([what, count]) => `${count} ${what}`).join(', ')}`,
    ];
  });
  const codes = [...new Set(problems.flatMap(({ severity, code }) => (severity === 'error' ? [code] : [])))];
  return [...sides, ...codes].join('; ');
}
