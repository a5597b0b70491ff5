import { dashboardOf, type DashboardSpec } from '../../grafana/dashboard.ts';
import { dashboards } from '../../grafana/all.ts';
import type { PanelSpec, Query } from '../../grafana/panels.ts';
import type { Metrics } from '../../src/observe/metrics.ts';
import { readRules } from './alert-rules.ts';
import { parseQuery } from './promql.ts';

/** A query of a dashboard, and where it is. */
export type Placed = { readonly dashboard: DashboardSpec; readonly panel: PanelSpec; readonly query: Query };

/** Every query of every panel. */
export const allQueries: readonly Placed[] = dashboards.flatMap((dashboard) =>
  dashboard.rows.flatMap(({ panels }) =>
    panels.flatMap((panel) => panel.queries.map((query) => ({ dashboard, panel, query }))),
  ),
);

/** A file of grafana/dashboards as the source would have it. */
export function dashboardFile(spec: DashboardSpec): string {
  return `${JSON.stringify(dashboardOf(spec), undefined, 2)}\n`;
}

/** A query as Grafana sends it, with everything chosen. */
export function filled(expr: string, interval = '30s'): string {
  return expr
    .replaceAll('$__rate_interval', interval)
    .replaceAll(/\$(namespace|replica|source|kind|collection|stream)\b/g, '.*');
}

/** Names of the series of a metric, as queries use them. */
export function seriesNamesOf(metrics: Metrics): Map<string, string> {
  const all = metrics.themes.flatMap((theme) => theme.metrics);
  return new Map(
    all.flatMap(({ name, type }) =>
      (type === 'histogram' ? ['_bucket', '_sum', '_count'] : ['']).map(
        (suffix) => [`${name}${suffix}`, name] as const,
      ),
    ),
  );
}

/** Names of all that a scrape finds, those of Node among them. */
export async function scrapedNames(metrics: Metrics): Promise<string[]> {
  return Array.from((await metrics.render()).matchAll(/^# TYPE (\w+) /gm), ([, name = '']) => name);
}

/** Titles of the dashboards that show each metric, by its name as it is scraped. */
export function dashboardsOf(names: readonly string[]): Map<string, string[]> {
  const shown = new Map(names.map((name) => [name, new Set<string>()]));
  for (const { dashboard, query } of allQueries) {
    for (const name of parseQuery(filled(query.expr)).metrics) shown.get(metricOf(name, shown))?.add(dashboard.title);
  }
  return new Map(Array.from(shown, ([name, titles]) => [name, [...titles]]));
}

/** Names of the alerts that ask for each metric, through recording rules too. */
export function alertsOf(names: readonly string[]): Map<string, string[]> {
  const rules = readRules().groups.flatMap((group) => group.rules);
  const recorded = new Map(
    rules.flatMap(({ record, expr }) => (record === undefined ? [] : [[record, expr] as const])),
  );
  const asked = new Map(names.map((name) => [name, new Set<string>()]));
  const add = (alert: string, expr: string): void => {
    for (const name of parseQuery(expr).metrics) {
      const made = recorded.get(name);
      if (made === undefined) asked.get(metricOf(name, asked))?.add(alert);
      else add(alert, made);
    }
  };
  for (const { alert, expr } of rules) if (alert !== undefined) add(alert, expr);
  return new Map(Array.from(asked, ([name, alerts]) => [name, [...alerts]]));
}

/** The metric that a series belongs to: those of a histogram have names of their own. */
function metricOf(series: string, known: ReadonlyMap<string, unknown>): string {
  return known.has(series) ? series : series.replace(/_(bucket|sum|count)$/, '');
}

/** What recording rules make. */
export function recordedNames(): Set<string> {
  return new Set(readRules().groups.flatMap(({ rules }) => rules.flatMap(({ record }) => record ?? [])));
}
