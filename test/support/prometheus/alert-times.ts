import type { Told } from './story.ts';

/** Once that an alert fired. Times are seconds after the beginning of the story. */
export type Firing = {
  readonly alert: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly from: number;
  readonly to: number;
  /** True where a step that went on was about it, all the time. */
  readonly isExpected: boolean;
};

/** Every time that an alert fired, in order. */
export async function firings(told: Told): Promise<Firing[]> {
  const { prometheus, from, to, windows, pace } = told;
  const step = pace.everyMs / 1000;
  const series = await prometheus.range('ALERTS{alertstate="firing"}', from, to, step);
  const isExpected = (alert: string, at: number) =>
    windows.some((one) => one.alerts.includes(alert) && one.from <= at && at <= one.to);
  return series
    .flatMap(({ metric, values }) => {
      const { __name__: _, alertname: alert = '', alertstate: __, ...labels } = metric;
      return runsOf(
        values.map(([at]) => at),
        1.5 * step,
      ).map((run) => ({
        alert,
        labels,
        from: (run[0] ?? 0) - from,
        to: (run.at(-1) ?? 0) - from,
        isExpected: run.every((at) => isExpected(alert, at)),
      }));
    })
    .toSorted((a, b) => a.from - b.from);
}

/** Cuts times where one is later than the one before by more than this. */
function runsOf(times: readonly number[], gap: number): number[][] {
  const runs: number[][] = [];
  for (const at of times) {
    const last = runs.at(-1);
    if (last === undefined || at - (last.at(-1) ?? 0) > gap) runs.push([at]);
    else last.push(at);
  }
  return runs;
}
