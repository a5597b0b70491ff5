import { unseen } from '../../grafana/unseen.ts';
import { createMetrics } from '../../src/observe/metrics.ts';
import type { LabelValues, MetricDescription } from '../../src/observe/metric-maker.ts';
import { alertsOf, dashboardsOf, scrapedNames } from './dashboards.ts';

const head = `# Metrics

Made from \`src/observe\` and \`grafana\` by \`UPDATE_GOLDEN=1 npx vitest run test/unit/docs\`. They are on \`/metrics\` of the admin port, and of
\`--metrics-listen\`. Recording rules, alerts and dashboards that use them are in [grafana](../grafana/README.md); what to do about
an alert is in the [runbook](runbook.md).

Labels are from closed sets, listed below: no name of a resource, address or text of an error is one. So the number of
series is bounded by the sources of the config: what peers send makes none. A \`stream\` is the seat of a connected istiod:
\`/debug/streams\` says who has which, an istiod that comes back is given the one that it had, and its series go with its stream
(its counters begin anew with the next one). Streams beyond the 32nd share the seat \`more\`.

A gauge whose meaning begins with "1 while" or "1 once" is 0 or 1. Where a number would be unknown, there is no series.
`;

const units: readonly (readonly [RegExp, string])[] = [
  [/_timestamp_seconds$/, 'seconds since 1970'],
  [/_seconds(_total)?$/, 'seconds'],
  [/_bytes(_total)?$/, 'bytes'],
];

/** What a value of a metric is a number of. */
function unitOf({ name, help }: MetricDescription): string {
  if (/^1 (while|once)/.test(help)) return '0 or 1';
  return units.find(([pattern]) => pattern.test(name))?.[1] ?? 'number';
}

/** Longer lists stand once, at the end of the page. */
const shortList = 8;

/** docs/metrics.md as the code would have it. */
export async function metricsPage(): Promise<string> {
  const all = createMetrics('0.0.0');
  const { themes } = all;
  const names = await scrapedNames(all);
  const [dashboards, alerts] = [dashboardsOf(names), alertsOf(names)];
  const useText = (name: string) => {
    const titles = dashboards.get(name) ?? [];
    const shown =
      titles.length === 0 ? [] : [`- shown in: ${titles.map((one) => one.replace('Isthmus / ', '')).join(', ')}`];
    const asked = alerts.get(name) ?? [];
    const links = asked.map((one) => `[${one}](runbook.md#${one.toLowerCase()})`);
    return [...shown, ...(asked.length === 0 ? [] : [`- alerts: ${links.join(', ')}`])];
  };
  const unshown = names.filter((name) => dashboards.get(name)?.length === 0);
  const lists = new Map<string, readonly string[]>();
  const titleOf = (label: string, values: readonly string[]) => {
    const known = [...lists].find(([, list]) => list.join() === values.join());
    if (known !== undefined) return known[0];
    const free = [label, ...Array.from({ length: 9 }, (_, i) => `${label} ${i + 2}`)];
    const title = free.find((name) => !lists.has(name)) ?? label;
    lists.set(title, values);
    return title;
  };
  const valuesText = (label: string, values: LabelValues) => {
    if (typeof values === 'string') return values;
    if (values.length <= shortList) return values.map((value) => `\`${value}\``).join(', ');
    const title = titleOf(label, values);
    return `[these ${values.length}](#${title.replaceAll(' ', '-')})`;
  };
  const sections = themes.map(({ title, metrics }) =>
    [`## ${title}`, ...metrics.map((metric) => section(metric, valuesText, useText(metric.name)))].join('\n\n'),
  );
  const ends = Array.from(
    lists,
    ([title, values]) => `### ${title}\n\n${values.map((one) => `\`${one}\``).join(', ')}`,
  );
  return `${[head, ...sections, nodes, unseenText(unshown), `## Long lists of values`, ...ends].map((part) => part.trimEnd()).join('\n\n')}\n`;
}

function section(
  metric: MetricDescription,
  valuesText: (label: string, values: LabelValues) => string,
  uses: readonly string[],
): string {
  const { name, type, help, labels, buckets } = metric;
  const lines = [
    `- type: ${type}, unit: ${unitOf(metric)}`,
    ...Object.entries(labels).map(([label, values]) => `- \`${label}\`: ${valuesText(label, values)}`),
    ...(buckets === undefined ? [] : [`- buckets: ${buckets.join(', ')}`]),
    ...uses,
  ];
  return `### ${name}\n\n${help}\n\n${lines.join('\n')}`;
}

const nodes = `## Of Node

\`process_*\` and \`nodejs_*\` as prom-client has them: CPU, memory (\`process_resident_memory_bytes\`, \`nodejs_heap_size_used_bytes\`,
\`nodejs_external_memory_bytes\`), open files, event-loop lag (\`nodejs_eventloop_lag_p99_seconds\`), garbage collection. The
gauges \`nodejs_active_{handles,requests,resources}_total\` are not there: their names end as those of counters do.`;

function unseenText(names: readonly string[]): string {
  const ours = names.filter((name) => !/^(process|nodejs)_/.test(name));
  const rows = names.map((name) => `| \`${name}\` | ${unseen[name] ?? 'no reason is given'} |`);
  return [
    '## In no dashboard',
    `What \`/metrics\` has and no [dashboard](../grafana/README.md) shows: ${names.length} metrics, ${ours.length} of them Isthmus' own.`,
    ['| metric | why |', '|---|---|', ...rows].join('\n'),
  ].join('\n\n');
}
