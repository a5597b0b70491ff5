import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { MetricsView } from './metrics-view.ts';

/** What a label may say: all of it, or where the names come from, and what bounds them. */
export type LabelValues = readonly string[] | string;

/** What docs/metrics.md says of a metric. */
export type MetricDescription = {
  readonly name: string;
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly help: string;
  readonly labels: Readonly<Record<string, LabelValues>>;
  /** Upper bounds; of histograms alone. */
  readonly buckets?: readonly number[];
};

type Labels<L extends string> = Readonly<Record<L, LabelValues>>;

const namesOf = <L extends string>(labels: Labels<L>): L[] => Object.keys(labels) as L[];

/**
 * Of Node's metrics those that are not ours to give: gauges whose names end as counters do, next to the same numbers by
 * type.
 */
const misnamed = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

/** Makes metrics, and remembers what they are. The only place that knows prom-client. */
export class MetricMaker {
  readonly #registry = new Registry();
  readonly #descriptions: MetricDescription[] = [];
  #view: MetricsView | undefined;

  /** Of the metrics that were made here, in that order. */
  get descriptions(): readonly MetricDescription[] {
    return this.#descriptions;
  }

  get contentType(): string {
    return this.#registry.contentType;
  }

  /** Text for Prometheus. */
  render(): Promise<string> {
    return this.#registry.metrics();
  }

  /** What is read at every scrape is read from here from now on. */
  watch(view: MetricsView): void {
    this.#view = view;
  }

  /** What Node and the system say of the process. */
  processDefaults(): void {
    collectDefaultMetrics({ register: this.#registry });
    for (const name of misnamed) this.#registry.removeSingleMetric(name);
  }

  counter<L extends string>(name: string, help: string, labels: Labels<L>): Counter<L> {
    this.#descriptions.push({ name, type: 'counter', help, labels });
    return new Counter<L>({ name, help, labelNames: namesOf(labels), registers: [this.#registry] });
  }

  /** A counter whose values are kept elsewhere: by who goes away with them. */
  counterOf<L extends string>(
    name: string,
    help: string,
    labels: Labels<L>,
    fill: (self: Counter<L>, view: MetricsView) => void,
  ): void {
    this.#descriptions.push({ name, type: 'counter', help, labels });
    const registers = [this.#registry];
    void new Counter<L>({ name, help, labelNames: namesOf(labels), registers, collect: this.#filledBy(fill) });
  }

  /** A gauge that is read at every scrape. */
  gauge<L extends string>(
    name: string,
    help: string,
    labels: Labels<L>,
    fill: (self: Gauge<L>, view: MetricsView) => void,
  ): void {
    this.#descriptions.push({ name, type: 'gauge', help, labels });
    const registers = [this.#registry];
    void new Gauge<L>({ name, help, labelNames: namesOf(labels), registers, collect: this.#filledBy(fill) });
  }

  /** A gauge that is always 1, for what its labels say. */
  info<L extends string>(name: string, help: string, labels: Labels<L>, values: Readonly<Record<L, string>>): void {
    this.#descriptions.push({ name, type: 'gauge', help, labels });
    const gauge = new Gauge<L>({ name, help, labelNames: namesOf(labels), registers: [this.#registry] });
    gauge.set(values, 1);
  }

  histogram<L extends string>(name: string, help: string, labels: Labels<L>, buckets: readonly number[]): Histogram<L> {
    this.#descriptions.push({ name, type: 'histogram', help, labels, buckets });
    return new Histogram<L>({
      name,
      help,
      labelNames: namesOf(labels),
      buckets: [...buckets],
      registers: [this.#registry],
    });
  }

  /** Makes a metric say what there is at each scrape, and nothing of what was there before. */
  #filledBy<M extends { reset(): void }>(fill: (self: M, view: MetricsView) => void): (this: M) => void {
    const view = () => this.#view;
    return function collect(this: M) {
      this.reset();
      const now = view();
      if (now !== undefined) fill(this, now);
    };
  }
}
