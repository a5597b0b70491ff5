import { allQueries, filled, recordedNames } from '../dashboards.ts';
import type { Told } from './story.ts';

/**
 * What no story makes happen: our answer to a source fails where its stream ends while a message is read, and a source that says
 * so at once is heard only after that message.
 */
const neverSeen = 'Isthmus / Mesh Configuration Protocol / Failures: send {{code}}';

/** Queries of dashboards, and recorded names, that were empty all the time, as `DASHBOARD / PANEL: QUERY`. */
export async function quietQueries({ prometheus, from, to }: Told): Promise<string[]> {
  const ofPanels = allQueries.map(({ dashboard, panel, query }) => ({
    name: `${dashboard.title} / ${panel.title}: ${query.legend}`,
    expr: filled(query.expr, '10s'),
  }));
  const recorded = Array.from(recordedNames(), (name) => ({ name, expr: name }));
  const quiet: string[] = [];
  for (const { name, expr } of [...ofPanels, ...recorded]) {
    const series = await prometheus.range(expr, from, to, 1);
    const hasData = series.some(({ values }) => values.some(([, value]) => Number.isFinite(Number(value))));
    if (!hasData && name !== neverSeen) quiet.push(name);
  }
  return quiet;
}
