import { dashboardOf, type DashboardSpec } from '../../grafana/dashboard.ts';
import { dashboards } from '../../grafana/all.ts';
import type { PanelSpec, Query } from '../../grafana/panels.ts';
import type { Metrics } from '../../src/observe/metrics.ts';
import { readRules } from './alert-rules.ts';

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

/** What recording rules make. */
export function recordedNames(): Set<string> {
  return new Set(readRules().groups.flatMap(({ rules }) => rules.flatMap(({ record }) => record ?? [])));
}
