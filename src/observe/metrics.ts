import { type Reporter, silentReporter } from '../model/reporter.ts';
import { holdingMetrics } from './holding-metrics.ts';
import { legacyOutputMetrics } from './legacy-output-metrics.ts';
import { type MetricDescription, MetricMaker } from './metric-maker.ts';
import type { MetricsView } from './metrics-view.ts';
import { oldNames } from './old-names.ts';
import { processMetrics } from './process-metrics.ts';
import { pushMetrics } from './push-metrics.ts';
import { snapshotMetrics } from './snapshot-metrics.ts';
import { sourceMetrics } from './source-metrics.ts';
import { streamMetrics } from './stream-metrics.ts';

export type Metrics = {
  readonly reporter: Reporter;
  readonly contentType: string;
  /** Of each metric but those of Node, by theme. */
  readonly themes: readonly { readonly title: string; readonly metrics: readonly MetricDescription[] }[];
  /** Text for Prometheus. */
  render(): Promise<string>;
  /** Gauges read from here from now on. */
  watch(view: MetricsView): void;
};

/** All metrics of the process; the files beside this one have those of one theme each. */
export function createMetrics(version: string): Metrics {
  const maker = new MetricMaker();
  const themes: { title: string; metrics: readonly MetricDescription[] }[] = [];
  const parts: Partial<Reporter>[] = [];
  const add = (title: string, make: (maker: MetricMaker) => Partial<Reporter>) => {
    const before = maker.descriptions.length;
    parts.push(make(maker));
    themes.push({ title, metrics: maker.descriptions.slice(before) });
  };
  add('Process', (one) => processMetrics(one, version));
  add('Sources', sourceMetrics);
  add('What is held', holdingMetrics);
  add('What istiods are given', snapshotMetrics);
  add('Pushes', pushMetrics);
  add('Each istiod', streamMetrics);
  add('Old Pilots', legacyOutputMetrics);
  add("The names of Istio's own MCP code", oldNames);
  return {
    themes,
    reporter: together(parts),
    contentType: maker.contentType,
    render: () => maker.render(),
    watch: (view) => maker.watch(view),
  };
}

/** Tells each part what it wants to hear. */
function together(parts: readonly Partial<Reporter>[]): Reporter {
  const methods = Object.keys(silentReporter) as (keyof Reporter)[];
  const told = methods.map((method) => {
    const listeners = parts.flatMap((part) => (part[method] as ((...said: unknown[]) => void) | undefined) ?? []);
    const tell = (...said: unknown[]) => {
      for (const listener of listeners) listener(...said);
    };
    return [method, tell] as const;
  });
  return Object.fromEntries(told) as Reporter;
}
