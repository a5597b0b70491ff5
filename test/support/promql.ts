import { parser } from '@prometheus-io/lezer-promql';

/** What a query of Prometheus is made of. */
export type Parsed = {
  /** Names of metrics that it selects. */
  readonly metrics: readonly string[];
  /** Names of labels that it matches, groups by, or keeps. */
  readonly labels: readonly string[];
};

/** Parses a query. @throws where it is none. */
export function parseQuery(expr: string): Parsed {
  const [metrics, labels] = [new Set<string>(), new Set<string>()];
  parser.parse(expr).iterate({
    enter(node) {
      const text = expr.slice(node.from, node.to);
      if (node.type.isError) throw new Error(`no PromQL at ${node.from}: ${expr}`);
      if (node.name === 'Identifier' && node.node.parent?.name === 'VectorSelector') metrics.add(text);
      if (node.name === 'LabelName') labels.add(text);
    },
  });
  return { metrics: [...metrics], labels: [...labels] };
}
