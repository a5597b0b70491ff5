import type { Builder } from '@grafana/grafana-foundation-sdk/cog';
import {
  type Panel,
  type Threshold,
  ThresholdsConfigBuilder,
  ThresholdsMode,
} from '@grafana/grafana-foundation-sdk/dashboard';
import { DataqueryBuilder, PromQueryFormat } from '@grafana/grafana-foundation-sdk/prometheus';
import { PanelBuilder as StatBuilder } from '@grafana/grafana-foundation-sdk/stat';
import { PanelBuilder as TableBuilder } from '@grafana/grafana-foundation-sdk/table';
import { PanelBuilder as TimeseriesBuilder } from '@grafana/grafana-foundation-sdk/timeseries';
import {
  BigValueColorMode,
  GraphThresholdsStyleConfigBuilder,
  GraphThresholdsStyleMode,
  LegendDisplayMode,
  LegendPlacement,
  ReduceDataOptionsBuilder,
  SortOrder,
  TooltipDisplayMode,
  VisibilityMode,
  VizLegendOptionsBuilder,
  VizTooltipOptionsBuilder,
} from '@grafana/grafana-foundation-sdk/common';
import { BytesIEC, BytesPerSecondSI, PercentUnit, Seconds, Short } from '@grafana/grafana-foundation-sdk/units';

/** Units of panels. */
export const units = {
  number: Short,
  perSecond: 'ops',
  seconds: Seconds,
  bytes: BytesIEC,
  bytesPerSecond: BytesPerSecondSI,
  share: PercentUnit,
} as const;

/** One query of a panel, and what its series are called. */
export type Query = { readonly expr: string; readonly legend: string };

/** Colours from a value on; the first one is that of all below. */
export type Border = readonly [from: number | null, color: 'green' | 'orange' | 'red' | 'blue'];

/** A panel, as far as it is our choice. */
export type PanelSpec = {
  readonly type: 'graph' | 'stat' | 'table';
  readonly title: string;
  /** What it shows, and what to think of it. */
  readonly description: string;
  readonly unit: string;
  /** Where there is no better or worse, one colour. */
  readonly borders: readonly Border[];
  /** Of 24. */
  readonly width: number;
  readonly queries: readonly Query[];
};

type Rest = Omit<PanelSpec, 'type' | 'borders' | 'width'> & Partial<Pick<PanelSpec, 'borders' | 'width'>>;

/** No value is better than another one. */
export const neutral: readonly Border[] = [[null, 'blue']];

/** Well at 0. */
export const noneIsGood: readonly Border[] = [
  [null, 'green'],
  [1, 'orange'],
];

/** Well at 1. */
export const oneIsGood: readonly Border[] = [
  [null, 'red'],
  [1, 'green'],
];

/** A line over time. */
export const graph = (rest: Rest): PanelSpec => ({ borders: neutral, width: 12, ...rest, type: 'graph' });

/** One number of now. */
export const stat = (rest: Rest): PanelSpec => ({ borders: neutral, width: 4, ...rest, type: 'stat' });

/** A row for each series of now. */
export const table = (rest: Rest): PanelSpec => ({ borders: neutral, width: 12, ...rest, type: 'table' });

/** Of 24 columns; a number needs less room than a line. */
export const heightOf = ({ type }: PanelSpec): number => (type === 'stat' ? 4 : 8);

/** The panel as Grafana has it, without its place. */
export function panelOf(
  spec: PanelSpec,
): Builder<Panel> & { gridPos(place: object): unknown; id(id: number): unknown } {
  const { title, description, unit, borders, queries } = spec;
  const steps: Threshold[] = borders.map(([value, color]) => ({ value, color }));
  const thresholds = new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps(steps);
  const panel = newPanel(spec)
    .title(title)
    .description(description)
    .unit(unit)
    .thresholds(thresholds)
    .datasource({ type: 'prometheus', uid: '${datasource}' });
  for (const [i, { expr, legend }] of queries.entries()) {
    const query = new DataqueryBuilder()
      .expr(expr)
      .legendFormat(legend)
      .refId(String.fromCharCode(65 + i));
    if (spec.type === 'table') query.instant().format(PromQueryFormat.Table);
    else if (spec.type === 'stat') query.instant();
    else query.range();
    panel.withTarget(query);
  }
  return panel;
}

function newPanel({ type, borders }: PanelSpec) {
  switch (type) {
    case 'stat':
      return new StatBuilder()
        .colorMode(BigValueColorMode.Background)
        .reduceOptions(new ReduceDataOptionsBuilder().values(false).calcs(['lastNotNull']));
    case 'table':
      return new TableBuilder();
    case 'graph':
      return new TimeseriesBuilder()
        .lineWidth(1)
        .fillOpacity(10)
        .showPoints(VisibilityMode.Never)
        .thresholdsStyle(
          new GraphThresholdsStyleConfigBuilder().mode(
            borders.length > 1 ? GraphThresholdsStyleMode.Dashed : GraphThresholdsStyleMode.Off,
          ),
        )
        .tooltip(new VizTooltipOptionsBuilder().mode(TooltipDisplayMode.Multi).sort(SortOrder.Descending))
        .legend(
          new VizLegendOptionsBuilder()
            .showLegend(true)
            .displayMode(LegendDisplayMode.List)
            .placement(LegendPlacement.Bottom)
            .calcs([]),
        );
    default:
      return type satisfies never;
  }
}
