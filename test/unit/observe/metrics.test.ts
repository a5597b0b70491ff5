import { beforeEach, describe, expect, test } from 'vitest';
import { quarantineReasons } from '../../../src/model/change.ts';
import type { Reporter } from '../../../src/model/reporter.ts';
import { turnedAwayReasons } from '../../../src/net/door.ts';
import { createMetrics, type Metrics, type MetricsView } from '../../../src/observe/metrics.ts';

type Sample = { readonly name: string; readonly labels: Readonly<Record<string, string>>; readonly value: number };

const se = 'istio/networking/v1alpha3/serviceentries';
const serviceEntryId = 'networking.istio.io/ServiceEntry';

let metrics: Metrics;

beforeEach(() => {
  metrics = createMetrics('1.2.3');
});

/** Every sample of a text in Prometheus' format. */
function samplesOf(text: string): Sample[] {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'));
  return lines.map((line) => {
    const match = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/.exec(line);
    if (match === null) throw new Error(`no sample: ${line}`);
    const [, name = '', labels = '', value] = match;
    const pairs = Array.from(labels.matchAll(/(\w+)="((?:[^"\\]|\\.)*)"/g), ([, key = '', text_ = '']) => [key, text_]);
    return { name, labels: Object.fromEntries(pairs), value: Number(value) };
  });
}

async function samples(prefix: string): Promise<Sample[]> {
  return samplesOf(await metrics.render()).filter(({ name }) => name.startsWith(prefix));
}

/** What the sample of this name and these labels says. */
async function valueOf(name: string, labels: Readonly<Record<string, string>> = {}): Promise<number | undefined> {
  const all = await samples(name);
  const wanted = Object.entries(labels);
  return all.find((one) => one.name === name && wanted.every(([key, text]) => one.labels[key] === text))?.value;
}

/** Says everything once that can be said. */
function sayAll(reporter: Reporter): void {
  reporter.sourceStreamOpened('galley');
  reporter.sourceStreamEnded('galley', 0);
  reporter.sourceStreamEnded('galley', 14);
  reporter.sourceSendFailed('galley', 14);
  reporter.resourcesReceived('galley', se, 1000);
  reporter.sourceAcked('galley', se);
  reporter.sourceNacked('galley', 'other', 12);
  reporter.sourceNacked('galley', se, 3);
  for (const reason of quarantineReasons) reporter.quarantined('galley', serviceEntryId, reason);
  reporter.changed('galley', serviceEntryId, 2, 1);
  for (const what of ['bare_name', 'create_time', 'duplicate'] as const)
    reporter.repaired('galley', serviceEntryId, what, 4);
  reporter.removalsWithheld('galley', serviceEntryId, 5);
  for (const outcome of ['released_by_operator', 'confirmed_by_source', 'recovered'] as const)
    reporter.holdEnded('galley', serviceEntryId, outcome);
  reporter.pushed('ServiceEntry', 100);
  reporter.pushAcked('ServiceEntry', 0.01);
  reporter.pushNacked('ServiceEntry');
  reporter.pushTooLarge('ServiceEntry');
  reporter.ackOverdue('ServiceEntry');
  for (const why of ['peer', 'recycled', 'send_timeout', 'ack_timeout', 'refused', 'shutdown', 'failed'] as const) {
    reporter.pushStreamEnded(why);
    reporter.outputStreamEnded(why);
  }
  for (const reason of turnedAwayReasons) reporter.connectionRefused('xds', reason);
  reporter.outputPushed(se, 500);
  reporter.outputAcked(se);
  reporter.outputNacked(se, 3);
  reporter.outputNacked(se, 4711);
}

function view(parts: Partial<Record<keyof MetricsView, unknown>> = {}): MetricsView {
  const holding = {
    source: 'galley',
    kind: 'ServiceEntry',
    synced: true,
    stale: false,
    overdue: true,
    retired: 6,
    received: 5,
    released: 4,
    effective: 3,
    quarantined: new Map([['bad_name', 2]]),
    invalid: new Map([['invalid_hosts', 3]]),
    held: 7,
  };
  const all = {
    sources: () => [{ name: 'galley', connected: true }],
    holdings: () => [holding],
    dropped: () => [{ source: 'galley', collection: 'istio/rbac/v1alpha1/serviceroles', resources: 8 }],
    kinds: () => [{ kind: 'ServiceEntry', complete: true, resources: 3 }],
    messages: () => [{ source: 'galley', collection: se, bytes: 900, limit: 1000 }],
    streams: () => 2,
    sinks: () => 3,
    uncarried: () => [{ collection: 'istio/rbac/v1alpha1/serviceroles', streams: 2 }],
    pushSizes: () => [{ kind: 'ServiceEntry', profile: 'up-to-1.11', bytes: 5000, limit: 4000 }],
    droppedByRevision: () => [{ kind: 'ServiceEntry', reason: 'no_revision', resources: 6 }],
    unaddressedHosts: () => 8,
    conflicts: () => [{ kind: 'ServiceEntry', reason: 'precedence', count: 6 }],
    config: () => ({ hasFailed: false, readAtMs: 1500, pending: 0 }),
    certificates: () => [{ use: 'xds', role: 'ca', endsAtMs: 1500 }],
    tlsFiles: () => [{ use: 'source/galley', isRefused: true }],
    state: () => ({ isFailing: false, unreadable: 0, unsaved: 1 }),
  };
  return { ...all, ...parts } as MetricsView;
}

test("the seven names that Istio's MCP code had until 1.8 are there, as component isthmus", async () => {
  sayAll(metrics.reporter);
  metrics.watch(view());
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
  metrics.watch(view());
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
    metrics.watch(view());
    for (let i = 0; i < 3; i++) sayAll(metrics.reporter);
    const ours = [...(await samples('isthmus_')), ...(await samples('istio_mcp_'))];
    const names = new Set(ours.flatMap(({ labels }) => Object.keys(labels)));
    const known =
      'change code collection component kind le listener outcome profile reason repair role source state use'.split(
        ' ',
      );
    expect([...names].filter((name) => name !== 'version').toSorted()).toEqual(known);
    const twice = ours.map(({ name, labels }) => `${name} ${JSON.stringify(labels)}`);
    expect(new Set(twice).size).toBe(twice.length);
  });

  test('kinds are short names, in counters and gauges alike', async () => {
    metrics.watch(view());
    sayAll(metrics.reporter);
    const kinds = new Set((await samples('isthmus_')).flatMap(({ labels }) => labels['kind'] ?? []));
    expect([...kinds]).toEqual(['ServiceEntry']);
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
    metrics.watch(view());
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

  test('of old Pilots', async () => {
    metrics.watch(view());
    sayAll(metrics.reporter);
    expect(await valueOf('isthmus_legacy_streams')).toBe(3);
    expect(await valueOf('isthmus_legacy_uncarried_streams')).toBe(2);
    expect(await valueOf('isthmus_legacy_pushes_total', { collection: se })).toBe(1);
    expect(await valueOf('isthmus_legacy_push_bytes_total', { collection: se })).toBe(500);
    expect(await valueOf('isthmus_legacy_push_nacks_total', { collection: se })).toBe(2);
    expect(await valueOf('isthmus_legacy_stream_ends_total', { reason: 'send_timeout' })).toBe(1);
  });

  test('of sizes, with the limit beside each', async () => {
    metrics.watch(view());
    const collection = { source: 'galley', collection: se };
    expect(await valueOf('isthmus_source_message_bytes', collection)).toBe(900);
    expect(await valueOf('isthmus_source_message_limit_bytes', collection)).toBe(1000);
    const kind = { kind: 'ServiceEntry', profile: 'up-to-1.11' };
    expect(await valueOf('isthmus_push_size_bytes', kind)).toBe(5000);
    expect(await valueOf('isthmus_push_limit_bytes', kind)).toBe(4000);
  });

  test('of what was counted', async () => {
    metrics.watch(view());
    const labels = { kind: 'ServiceEntry', reason: 'no_revision' };
    expect(await valueOf('isthmus_stream_dropped_by_revision', labels)).toBe(6);
    expect(await valueOf('isthmus_unaddressed_hosts')).toBe(8);
    metrics.watch(view({ droppedByRevision: () => [] }));
    expect(await samples('isthmus_stream_dropped_by_revision')).toEqual([]);
  });

  test('of the last-known-good files, and of what is served from them', async () => {
    metrics.watch(view({ state: () => ({ isFailing: true, unreadable: 2, unsaved: 3 }) }));
    expect(await valueOf('isthmus_source_stale', { source: 'galley', kind: 'ServiceEntry' })).toBe(0);
    expect(await valueOf('isthmus_state_failing')).toBe(1);
    expect(await valueOf('isthmus_state_unreadable_files')).toBe(2);
    expect(await valueOf('isthmus_state_unsaved_files')).toBe(3);
    metrics.watch(view({ state: () => undefined }));
    expect(await valueOf('isthmus_state_failing')).toBe(0);
  });

  test('of TLS files', async () => {
    metrics.watch(view());
    expect(await valueOf('isthmus_certificate_expiry_timestamp_seconds', { use: 'xds', role: 'ca' })).toBe(1.5);
    expect(await valueOf('isthmus_tls_files_refused', { use: 'source/galley' })).toBe(1);
    metrics.watch(view({ certificates: () => [], tlsFiles: () => [] }));
    expect(await samples('isthmus_certificate')).toEqual([]);
  });

  test('of the config that is read again', async () => {
    metrics.watch(view());
    expect(await valueOf('isthmus_config_reload_failed')).toBe(0);
    expect(await valueOf('isthmus_config_read_timestamp_seconds')).toBe(1.5);
    metrics.watch(view({ config: () => ({ hasFailed: true, readAtMs: 0, pending: 2 }) }));
    expect(await valueOf('isthmus_config_reload_failed')).toBe(1);
    expect(await valueOf('isthmus_config_pending_settings')).toBe(2);
  });

  test('and nothing that is gone', async () => {
    metrics.watch(view());
    await metrics.render();
    metrics.watch(
      view({
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
