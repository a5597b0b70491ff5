import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  type VariableModel,
  VariableRefresh,
  VariableSort,
} from '@grafana/grafana-foundation-sdk/dashboard';

/** Of every query: which bridges. What has no such label is chosen by "All". */
export const bridges = 'namespace=~"$namespace",instance=~"$replica"';

/** The same, of one or several sources and kinds. */
export const ofSource = `${bridges},source=~"$source"`;
export const ofKind = `${bridges},kind=~"$kind"`;
export const ofHolding = `${ofSource},kind=~"$kind"`;
export const ofCollection = `${ofSource},collection=~"$collection"`;

/** Of one or several istiods that are connected. */
export const ofStream = `${bridges},stream=~"$stream",kind=~"$kind"`;

/** What every dashboard begins with. */
const common = [
  new DatasourceVariableBuilder('datasource').label('Data source').type('prometheus'),
  choice('namespace', 'Namespace', 'isthmus_build_info', 'namespace'),
  choice('replica', 'Replica', 'isthmus_build_info{namespace=~"$namespace"}', 'instance'),
] as const;

const more = {
  source: choice('source', 'Source', `isthmus_resources{${bridges}}`, 'source'),
  kind: choice('kind', 'Kind', `isthmus_snapshot_resources{${bridges}}`, 'kind'),
  collection: choice('collection', 'Collection', `isthmus_source_received_bytes_total{${bridges}}`, 'collection'),
  stream: choice('stream', 'istiod (seat)', `isthmus_stream_info{${bridges}}`, 'stream'),
};

/** Variables that a dashboard may have besides data source, namespace and replica. */
export type VariableName = keyof typeof more;

/** The variables of a dashboard, in the order in which they are chosen. */
export function variablesOf(names: readonly VariableName[]): Builder<VariableModel>[] {
  return [...common, ...names.map((name) => more[name])];
}

function choice(name: string, label: string, metric: string, of: string): QueryVariableBuilder {
  const query = `label_values(${metric}, ${of})`;
  return new QueryVariableBuilder(name)
    .label(label)
    .datasource({ type: 'prometheus', uid: '${datasource}' })
    .query({ query, refId: name })
    .definition(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .sort(VariableSort.AlphabeticalAsc)
    .multi(true)
    .includeAll(true)
    .allValue('.*')
    .current({ selected: true, text: 'All', value: '$__all' });
}
