import { beforeEach, describe, expect, test } from 'vitest';
import { pushCauses } from '../../../src/model/news.ts';
import { createMetrics, type Metrics } from '../../../src/observe/metrics.ts';
import { sayAll, viewOfAll } from '../../support/all-metrics.ts';
import { type Sample, samplesOf } from '../../support/metric-samples.ts';

const se = 'istio/networking/v1alpha3/serviceentries';

let metrics: Metrics;

beforeEach(() => {
  metrics = createMetrics('1.2.3');
});

async function samples(prefix: string): Promise<Sample[]> {
  return samplesOf(await metrics.render()).filter(({ name }) => name.startsWith(prefix));
}

/** What the sample of this name and these labels says. */
async function valueOf(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
  const all = await samples(name);
  const wanted = Object.entries(labels);
  return all.find((one) => one.name === name && wanted.every(([key, text]) => one.labels[key] === text))?.value;
}

test("the seven names that Istio's MCP code had until 1.8 are there, as component isthmus", async () => {
  sayAll(metrics.reporter);
  metrics.watch(viewOfAll());
  const old = await samples('istio_mcp_');
  expect(new Set(old.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')))).toEqual(
    new Set([
      'istio_mcp_clients_total',
      'istio_mcp_message_sizes_bytes',
      'istio_mcp_reconnections',
      'istio_mcp_recv_failures_total',
      'istio_mcp_request_acks_total',
      'istio_mcp_request_nacks_total',
      'istio_mcp_send_failures_total',
    ]),
  );
  expect(new Set(old.map(({ labels }) => labels['component']))).toEqual(new Set(['isthmus']));
});

test('the old names count what they counted, of both roles', async () => {
  sayAll(metrics.reporter);
  metrics.watch(viewOfAll());
  expect(await valueOf('istio_mcp_clients_total')).toBe(5);
  expect(await valueOf('istio_mcp_reconnections')).toBe(1);
  expect(await valueOf('istio_mcp_request_acks_total', { collection: se })).toBe(2);
  expect(await valueOf('istio_mcp_request_nacks_total', { collection: se, code: 'InvalidArgument' })).toBe(2);
  // A sink may send any number.
  expect(await valueOf('istio_mcp_request_nacks_total', { collection: se, code: 'Unknown' })).toBe(1);
  expect(await valueOf('istio_mcp_request_nacks_total', { collection: 'other', code: 'Unimplemented' })).toBe(1);
  expect(await valueOf('istio_mcp_send_failures_total', { code: '14' })).toBe(1);
  // A stream that ended well is no failure.
  expect((await samples('istio_mcp_recv_failures_total')).map(({ labels, value }) => [labels['code'], value])).toEqual([
    ['14', 1],
  ]);
  expect(await valueOf('istio_mcp_message_sizes_bytes_bucket', { collection: se, le: '1024' })).toBe(2);
  expect(await valueOf('istio_mcp_message_sizes_bytes_bucket', { collection: se, le: '256' })).toBe(0);
});

test('what is told of pushes is counted by cause, and in the histograms', async () => {
  sayAll(metrics.reporter);
  for (const cause of pushCauses) expect(await valueOf('isthmus_pushes_total', { cause })).toBe(1);
  expect(await valueOf('isthmus_propagation_seconds_bucket', { kind: 'ServiceEntry', le: '0.25' })).toBe(0);
  expect(await valueOf('isthmus_propagation_seconds_bucket', { kind: 'ServiceEntry', le: '0.5' })).toBe(1);
  expect(await valueOf('isthmus_push_queue_seconds_count', { kind: 'ServiceEntry' })).toBe(pushCauses.length);
  expect(await valueOf('isthmus_publications_total')).toBe(1);
  expect(await valueOf('isthmus_debounce_merged_total')).toBe(2);
});

test('each label of each sample is one that is described, with one of the values that it may have', async () => {
  sayAll(metrics.reporter);
  metrics.watch(viewOfAll());
  const described = new Map(metrics.themes.flatMap((theme) => theme.metrics).map((one) => [one.name, one]));
  const all = [...(await samples('isthmus_')), ...(await samples('istio_mcp_'))];
  const odd = all.flatMap(({ name, labels }) => {
    const metric = described.get(name) ?? described.get(name.replace(/_(bucket|sum|count)$/, ''));
    if (metric === undefined) return [name];
    return Object.entries(labels).flatMap(([label, value]) => {
      if (label === 'le') return [];
      const values = metric.labels[label];
      const isFine = typeof values === 'string' || values?.includes(value) === true;
      return isFine ? [] : [`${name} ${label}=${value}`];
    });
  });
  expect(odd).toEqual([]);
  // Every metric is there once all that can be said was said.
  const seen = new Set(all.map(({ name }) => name.replace(/_(bucket|sum|count)$/, '')));
  expect([...described.keys()].filter((name) => !seen.has(name))).toEqual([]);
});

describe('the text is what Prometheus expects', () => {
  test('our names have their prefix, a help text and a type that fits', async () => {
    const lines = (await metrics.render()).split('\n');
    const types = lines.flatMap((line) => {
      const match = /^# TYPE ((?:isthmus|istio_mcp)_[a-z_]+) (\w+)$/.exec(line);
      return match === null ? [] : [[match[1] as string, match[2] as string] as const];
    });
    expect(types.length).toBeGreaterThan(25);
    const helped = types.filter(([name]) => lines.some((line) => line.startsWith(`# HELP ${name} `)));
    expect(helped).toEqual(types);
    // Two of the old names break the rule, and keep their names all the same.
    const odd = types.filter(([name, type]) => (type === 'counter') !== name.endsWith('_total'));
    expect(odd.map(([name]) => name)).toEqual(['istio_mcp_clients_total', 'istio_mcp_reconnections']);
  });

  test('labels are from a closed set, however much is said', async () => {
    metrics.watch(viewOfAll());
    for (let i = 0; i < 3; i++) sayAll(metrics.reporter);
    const ours = [...(await samples('isthmus_')), ...(await samples('istio_mcp_'))];
    const names = new Set(ours.flatMap(({ labels }) => Object.keys(labels)));
    const known =
      'cause change code collection component istio kind le listener outcome profile reason repair role source state stream use'.split(
        ' ',
      );
    expect([...names].filter((name) => name !== 'version').toSorted()).toEqual(known);
    const twice = ours.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
    expect(new Set(twice).size).toBe(twice.length);
  });

  test('kinds are short names, in counters and gauges alike', async () => {
    metrics.watch(viewOfAll());
    sayAll(metrics.reporter);
    const kinds = new Set((await samples('isthmus_')).flatMap(({ labels }) => labels['kind'] ?? []));
    expect([...kinds].toSorted()).toEqual(['ServiceEntry', 'other']);
  });

  test('a version cannot break out of its label', async () => {
    const text = await createMetrics('1"} 5\nx{y="').render();
    expect(samplesOf(text).filter(({ name }) => name === 'isthmus_build_info')).toHaveLength(1);
    expect(samplesOf(text).some(({ name }) => name === 'x')).toBe(false);
  });

  test('the process itself is measured too', async () => {
    expect(await valueOf('process_resident_memory_bytes')).toBeGreaterThan(1e6);
    expect(await valueOf('isthmus_build_info', { version: '1.2.3' })).toBe(1);
    expect(metrics.contentType).toContain('text/plain');
  });
});

describe('gauges show the present', () => {
  test('of sources, kinds and streams', async () => {
    metrics.watch(viewOfAll());
    expect(await valueOf('isthmus_source_connected', { source: 'galley' })).toBe(1);
    expect(await valueOf('isthmus_source_synced', { source: 'galley', kind: 'ServiceEntry' })).toBe(1);
    expect(await valueOf('isthmus_resources', { state: 'received' })).toBe(5);
    expect(await valueOf('isthmus_resources', { state: 'released' })).toBe(4);
    expect(await valueOf('isthmus_resources', { state: 'effective' })).toBe(3);
    expect(await valueOf('isthmus_quarantined_resources', { reason: 'bad_name' })).toBe(2);
    expect(await valueOf('isthmus_invalid_resources', { reason: 'invalid_hosts' })).toBe(3);
    expect(await valueOf('isthmus_guard_held_resources', { source: 'galley', kind: 'ServiceEntry' })).toBe(7);
    expect(await valueOf('isthmus_source_overdue', { source: 'galley', kind: 'ServiceEntry' })).toBe(1);
    expect(await valueOf('isthmus_dropped_resources', { source: 'galley' })).toBe(8);
    expect(await valueOf('isthmus_retired_resources', { source: 'galley', kind: 'ServiceEntry' })).toBe(6);
    expect(await valueOf('isthmus_kind_complete', { kind: 'ServiceEntry' })).toBe(1);
    expect(await valueOf('isthmus_snapshot_resources', { kind: 'ServiceEntry' })).toBe(3);
    expect(await valueOf('isthmus_xds_streams')).toBe(2);
    expect(await valueOf('isthmus_conflicts', { kind: 'ServiceEntry', reason: 'precedence' })).toBe(6);
  });

  test('of when something changed, and how much is held', async () => {
    metrics.watch(viewOfAll());
    const of = { source: 'galley', kind: 'ServiceEntry' };
    expect(await valueOf('isthmus_source_last_message_timestamp_seconds', of)).toBe(2.5);
    expect(await valueOf('isthmus_source_last_change_timestamp_seconds', of)).toBe(1.5);
    expect(await valueOf('isthmus_source_resources_bytes', of)).toBe(300);
    expect(await valueOf('isthmus_snapshot_timestamp_seconds', { kind: 'ServiceEntry' })).toBe(3.5);
  });

  test('of each istiod, and of none that has left', async () => {
    metrics.watch(viewOfAll());
    const of = { stream: '1', kind: 'other' };
    for (let scrape = 0; scrape < 2; scrape++) {
      expect(await valueOf('isthmus_stream_pushes_total', of)).toBe(5);
      expect(await valueOf('isthmus_stream_acks_total', of)).toBe(3);
      expect(await valueOf('isthmus_stream_nacks_total', of)).toBe(1);
      expect(await valueOf('isthmus_stream_push_bytes_total', of)).toBe(700);
      expect(await valueOf('isthmus_stream_queue_seconds_total', of)).toBe(1.5);
      expect(await valueOf('isthmus_stream_unacknowledged_seconds', of)).toBe(2.5);
    }
    expect(await valueOf('isthmus_stream_info', { stream: '1', istio: '1.18 to 1.23' })).toBe(1);
    metrics.watch(viewOfAll({ seats: () => [], seatInfos: () => [] }));
    const left = (await samples('isthmus_stream_')).filter(({ name }) => name !== 'isthmus_stream_dropped_by_revision');
    expect(left).toEqual([]);
  });

  test('of old Pilots', async () => {
    metrics.watch(viewOfAll());
    sayAll(metrics.reporter);
    expect(await valueOf('isthmus_legacy_streams')).toBe(3);
    expect(await valueOf('isthmus_legacy_uncarried_streams')).toBe(2);
    expect(await valueOf('isthmus_legacy_pushes_total', { collection: se })).toBe(1);
    expect(await valueOf('isthmus_legacy_push_bytes_total', { collection: se })).toBe(500);
    expect(await valueOf('isthmus_legacy_push_nacks_total', { collection: se })).toBe(2);
    expect(await valueOf('isthmus_legacy_stream_ends_total', { reason: 'send_timeout' })).toBe(1);
  });

  test('of sizes, with the limit beside each', async () => {
    metrics.watch(viewOfAll());
    const collection = { source: 'galley', collection: se };
    expect(await valueOf('isthmus_source_message_bytes', collection)).toBe(900);
    expect(await valueOf('isthmus_source_message_limit_bytes', collection)).toBe(1000);
    const kind = { kind: 'ServiceEntry', profile: 'up-to-1.11' };
    expect(await valueOf('isthmus_push_size_bytes', kind)).toBe(5000);
    expect(await valueOf('isthmus_push_limit_bytes', kind)).toBe(4000);
  });

  test('of what was counted', async () => {
    metrics.watch(viewOfAll());
    const labels = { kind: 'ServiceEntry', reason: 'no_revision' };
    expect(await valueOf('isthmus_stream_dropped_by_revision', labels)).toBe(6);
    expect(await valueOf('isthmus_unaddressed_hosts')).toBe(8);
    metrics.watch(viewOfAll({ droppedByRevision: () => [] }));
    expect(await samples('isthmus_stream_dropped_by_revision')).toEqual([]);
  });

  test('of the last-known-good files, and of what is served from them', async () => {
    metrics.watch(viewOfAll({ state: () => ({ isFailing: true, unreadable: 2, unsaved: 3 }) }));
    expect(await valueOf('isthmus_source_stale', { source: 'galley', kind: 'ServiceEntry' })).toBe(0);
    expect(await valueOf('isthmus_state_failing')).toBe(1);
    expect(await valueOf('isthmus_state_unreadable_files')).toBe(2);
    expect(await valueOf('isthmus_state_unsaved_files')).toBe(3);
    metrics.watch(viewOfAll({ state: () => undefined }));
    expect(await valueOf('isthmus_state_failing')).toBe(0);
  });

  test('of TLS files', async () => {
    metrics.watch(viewOfAll());
    expect(await valueOf('isthmus_certificate_expiry_timestamp_seconds', { use: 'xds', role: 'ca' })).toBe(1.5);
    expect(await valueOf('isthmus_tls_files_refused', { use: 'source/galley' })).toBe(1);
    metrics.watch(viewOfAll({ certificates: () => [], tlsFiles: () => [] }));
    expect(await samples('isthmus_certificate')).toEqual([]);
  });

  test('of the config that is read again', async () => {
    metrics.watch(viewOfAll());
    expect(await valueOf('isthmus_config_reload_failed')).toBe(0);
    expect(await valueOf('isthmus_config_read_timestamp_seconds')).toBe(1.5);
    metrics.watch(viewOfAll({ config: () => ({ hasFailed: true, readAtMs: 0, pending: 2 }) }));
    expect(await valueOf('isthmus_config_reload_failed')).toBe(1);
    expect(await valueOf('isthmus_config_pending_settings')).toBe(2);
  });

  test('and nothing that is gone', async () => {
    metrics.watch(viewOfAll());
    await metrics.render();
    metrics.watch(
      viewOfAll({
        sources: () => [],
        holdings: () => [],
        kinds: () => [],
        streams: () => 0,
        uncarried: () => [],
        conflicts: () => [],
      }),
    );
    expect(await samples('isthmus_quarantined_resources')).toEqual([]);
    expect(await samples('isthmus_invalid_resources')).toEqual([]);
    expect(await samples('isthmus_resources')).toEqual([]);
    expect(await samples('isthmus_guard_held_resources')).toEqual([]);
    expect(await samples('isthmus_conflicts')).toEqual([]);
    expect(await samples('isthmus_legacy_uncarried_streams')).toEqual([]);
    expect(await samples('isthmus_source_connected')).toEqual([]);
    expect(await valueOf('isthmus_xds_streams')).toBe(0);
  });

  test('before there is anything to show, nothing is shown of it', async () => {
    expect(await samples('isthmus_kind_complete')).toEqual([]);
    expect(await samples('isthmus_source_synced')).toEqual([]);
  });
});

test('two bridges in one process count apart', async () => {
  const other = createMetrics('1.2.3');
  sayAll(other.reporter);
  expect(await valueOf('istio_mcp_reconnections', { component: 'isthmus' })).toBeUndefined();
  expect(samplesOf(await other.render()).some(({ name }) => name === 'istio_mcp_reconnections')).toBe(true);
});
