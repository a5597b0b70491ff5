import { allQueries, filled, recordedNames } from '../dashboards.ts';
import type { Told } from './story.ts';

/** Queries of dashboards, and recorded names, that were empty all the time, as `DASHBOARD / PANEL: QUERY`. */
export async function quietQueries({ prometheus, from, to, pace }: Told): Promise<string[]> {
  // Four scrapes, as Grafana has it, and enough of them where they are quick.
  const interval = `${Math.max(10_000, 4 * pace.everyMs)}ms`;
  const ofPanels = allQueries.map(({ dashboard, panel, query }) => ({
    name: `${dashboard.title} / ${panel.title}: ${query.legend}`,
    expr: filled(query.expr, interval),
  }));
  const recorded = Array.from(recordedNames(), (name) => ({ name, expr: name }));
  const quiet: string[] = [];
  for (const { name, expr } of [...ofPanels, ...recorded]) {
    const series = await prometheus.range(expr, from, to, pace.everyMs / 500);
    const hasData = series.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))));
    if (!hasData) quiet.push(name);
  }
  return quiet;
}

/** How many queries of panels and recorded names there are. */
export const askedQueries = (): number => allQueries.length + recordedNames().size;
