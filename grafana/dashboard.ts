import {
  type Dashboard,
  DashboardBuilder,
  DashboardCursorSync,
  DashboardLinkBuilder,
  DashboardLinkType,
  RowBuilder,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { heightOf, panelOf, type PanelSpec } from './panels.ts';
import { variablesOf, type VariableName } from './variables.ts';

/** Panels under one title. */
export type Row = { readonly title: string; readonly panels: readonly PanelSpec[] };

/** A dashboard, as far as it is our choice. */
export type DashboardSpec = {
  /** Part of its address in Grafana, and the name of its file. */
  readonly uid: string;
  readonly title: string;
  readonly description: string;
  readonly variables: readonly VariableName[];
  readonly rows: readonly Row[];
};

/** All of ours have it: each links to the others by it. */
const tag = 'isthmus';

/** That of Grafana 10.0. Newer ones bring it up to theirs when they import it. */
const schemaVersion = 38;

const columns = 24;

/** The dashboard as Grafana imports it. */
export function dashboardOf({ uid, title, description, variables, rows }: DashboardSpec): Dashboard {
  const others = new DashboardLinkBuilder('Isthmus')
    .type(DashboardLinkType.Dashboards)
    .tags([tag])
    .asDropdown(false)
    .includeVars(true)
    .keepTime(true);
  const dashboard = new DashboardBuilder(title)
    .uid(uid)
    .description(description)
    .tags([tag])
    .tooltip(DashboardCursorSync.Crosshair)
    .time({ from: 'now-3h', to: 'now' })
    .refresh('30s')
    .timezone('browser')
    .link(others)
    .variables(variablesOf(variables));
  let [y, id] = [0, 0];
  for (const row of rows) {
    dashboard.withRow(new RowBuilder(row.title).id(++id).gridPos({ h: 1, w: columns, x: 0, y }));
    y++;
    let [x, height] = [0, 0];
    for (const spec of row.panels) {
      if (x + spec.width > columns) {
        y += height;
        [x, height] = [0, 0];
      }
      const panel = panelOf(spec);
      panel.gridPos({ h: heightOf(spec), w: spec.width, x, y });
      panel.id(++id);
      dashboard.withPanel(panel);
      x += spec.width;
      height = Math.max(height, heightOf(spec));
    }
    y += height;
  }
  const built = dashboard.build();
  // Where Grafana knows the setting, it would put the links away in a menu.
  for (const link of built.links ?? []) Reflect.deleteProperty(link, 'placement');
  return { ...built, schemaVersion };
}
