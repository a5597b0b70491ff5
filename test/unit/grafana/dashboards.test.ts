import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { dashboards } from '../../../grafana/all.ts';
import { dashboardOf } from '../../../grafana/dashboard.ts';
import { unseen } from '../../../grafana/unseen.ts';
import { createMetrics } from '../../../src/observe/metrics.ts';
import { readRules } from '../../support/alert-rules.ts';
import {
  alertsOf,
  allQueries,
  dashboardFile,
  dashboardsOf,
  filled,
  recordedNames,
  scrapedNames,
  seriesNamesOf,
} from '../../support/dashboards.ts';
import { parseQuery } from '../../support/promql.ts';

const grafana = join(import.meta.dirname, '../../../grafana');
const folder = join(grafana, 'dashboards');

/** Of Prometheus itself, and of Node's: nobody else describes them. */
const foreign = /^(ALERTS$|process_|nodejs_)/;

/** Labels that a scrape adds, and those of foreign metrics. */
const scraped = ['namespace', 'instance', 'job', 'le', 'alertname', 'alertstate'];

test('each file is what its source makes, and there are no others; UPDATE_GOLDEN=1 writes them', () => {
  for (const spec of dashboards) {
    const file = join(folder, `${spec.uid}.json`);
    if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, dashboardFile(spec));
    expect(readFileSync(file, 'utf8'), file).toBe(dashboardFile(spec));
  }
  expect(readdirSync(folder).toSorted()).toEqual(dashboards.map(({ uid }) => `${uid}.json`).toSorted());
});

describe.each(dashboards)('$title', (spec) => {
  const built = dashboardOf(spec);
  const panels = (built.panels ?? []).filter((one) => one.type !== 'row');

  test('is one that Grafana 10 and newer import', () => {
    expect(built.schemaVersion).toBe(38);
    expect(built.uid).toMatch(/^[a-z-]{1,40}$/);
    expect(built.tags).toEqual(['isthmus']);
    const ids = (built.panels ?? []).map(({ id }) => id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids).not.toContain(undefined);
  });

  test('links to the others, and takes what was chosen along', () => {
    expect(built.links).toEqual([
      expect.objectContaining({ type: 'dashboards', tags: ['isthmus'], includeVars: true, keepTime: true }),
    ]);
    expect(built.links?.[0]).not.toHaveProperty('placement');
  });

  test('begins with data source, namespace and replica', () => {
    const names = built.templating?.list?.map(({ name }) => name) ?? [];
    expect(names.slice(0, 3)).toEqual(['datasource', 'namespace', 'replica']);
    expect(names.slice(3)).toEqual(spec.variables);
  });

  test('every panel says what it shows, in which unit, and where it is well', () => {
    for (const panel of panels) {
      expect(panel, panel.title ?? '').toMatchObject({
        title: expect.stringMatching(/./),
        description: expect.stringMatching(/\.$/),
        fieldConfig: { defaults: { unit: expect.stringMatching(/./) } },
      });
      expect(panel).toHaveProperty('fieldConfig.defaults.thresholds.steps.0.value', null);
    }
  });

  test('no panel lies on another one, or beyond the edge', () => {
    const cells = (built.panels ?? []).flatMap(({ gridPos }) => {
      if (gridPos === undefined) throw new Error('a panel has no place');
      const { x, y, w, h } = gridPos;
      return Array.from({ length: w * h }, (_, i) => [x + (i % w), y + Math.floor(i / w)] as const);
    });
    expect(new Set(cells.map(String)).size).toBe(cells.length);
    expect(Math.max(...cells.map(([x]) => x))).toBeLessThan(24);
  });

  test('uses the variables that it has, and no others', () => {
    const used = JSON.stringify(built).match(/\$\{?\w+/g) ?? [];
    const names = new Set(used.map((one) => one.replace(/^\$\{?/, '')).filter((name) => !name.startsWith('__')));
    expect([...names].toSorted()).toEqual(['datasource', 'namespace', 'replica', ...spec.variables].toSorted());
  });
});

describe('queries', () => {
  const metrics = createMetrics('1.2.3');
  const exported = seriesNamesOf(metrics);
  const known = new Map(metrics.themes.flatMap((theme) => theme.metrics).map((one) => [one.name, one]));
  const ofDashboards = allQueries.map(({ query }) => filled(query.expr));
  const ofRules = readRules().groups.flatMap(({ rules }) => rules.map(({ expr }) => expr));
  const ofVariables = dashboards.flatMap((spec) =>
    Array.from(JSON.stringify(dashboardOf(spec)).matchAll(/label_values\((\w+)/g), ([, name]) => name ?? ''),
  );

  test('are PromQL', () => {
    expect(ofDashboards.length).toBeGreaterThan(80);
    for (const expr of [...ofDashboards, ...ofRules]) expect(() => parseQuery(expr), expr).not.toThrow();
    expect(() => parseQuery('sum(rate(a[5m])')).toThrow('no PromQL');
  });

  test('ask for nothing that the code does not export', () => {
    const recorded = recordedNames();
    const strange = [...ofDashboards, ...ofRules]
      .flatMap((expr) => parseQuery(expr).metrics)
      .concat(ofVariables)
      .filter((name) => !exported.has(name) && !recorded.has(name) && !foreign.test(name));
    expect(strange).toEqual([]);
  });

  test('know the labels of what they ask for', () => {
    for (const expr of ofDashboards) {
      const parsed = parseQuery(expr);
      const labels = new Set(
        parsed.metrics.flatMap((name) => Object.keys(known.get(exported.get(name) ?? '')?.labels ?? {})),
      );
      if (parsed.metrics.some((name) => foreign.test(name))) continue;
      expect(
        parsed.labels.filter((label) => !labels.has(label) && !scraped.includes(label)),
        expr,
      ).toEqual([]);
    }
  });

  test('legends name labels that are there', () => {
    for (const { query, panel } of allQueries) {
      const named = Array.from(query.legend.matchAll(/\{\{(\w+)\}\}/g), ([, label]) => label ?? '');
      const { metrics: names } = parseQuery(filled(query.expr));
      if (names.some((name) => foreign.test(name))) continue;
      const labels = names.flatMap((name) => Object.keys(known.get(exported.get(name) ?? '')?.labels ?? {}));
      expect(
        named.filter((label) => ![...labels, ...scraped].includes(label)),
        panel.title,
      ).toEqual([]);
    }
  });

  test('show every metric that a scrape finds, but for those that have a reason', async () => {
    const shown = dashboardsOf(await scrapedNames(metrics));
    const unshown = Array.from(shown).flatMap(([name, titles]) => (titles.length === 0 ? [name] : []));
    expect(unshown.toSorted()).toEqual(Object.keys(unseen).toSorted());
    // All of our own are shown.
    expect(unshown.filter((name) => known.has(name))).toEqual([]);
    expect(shown.get('isthmus_build_info')).toEqual(['Isthmus / Overview', 'Isthmus / Runtime']);
  });

  test('ask for nothing of Node that a scrape does not find', async () => {
    const names = new Set(await scrapedNames(metrics));
    const asked = [...ofDashboards, ...ofRules].flatMap((expr) => parseQuery(expr).metrics);
    const ofNode = new Set(asked.filter((name) => /^(process|nodejs)_/.test(name)));
    expect(ofNode.size).toBeGreaterThan(10);
    const isThere = (name: string) => names.has(name) || names.has(name.replace(/_(bucket|sum|count)$/, ''));
    expect([...ofNode].filter((name) => !isThere(name))).toEqual([]);
  });
});

test('an alert is found by what it asks for, through a recording rule too', () => {
  const alerts = alertsOf(['isthmus_propagation_seconds', 'isthmus_source_connected', 'isthmus_build_info']);
  expect(Object.fromEntries(alerts)).toEqual({
    isthmus_propagation_seconds: ['IsthmusPropagationSlow'],
    isthmus_source_connected: ['IsthmusSourceDown'],
    isthmus_build_info: ['IsthmusAbsent'],
  });
});
