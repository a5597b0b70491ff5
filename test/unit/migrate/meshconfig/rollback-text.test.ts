import { describe, expect, test } from 'vitest';
import { type Backup, placeIdOf, readBackup, sha256, writeBackup } from '../../../../migrate/meshconfig/backup.ts';
import { findMeshConfigs } from '../../../../migrate/meshconfig/find.ts';
import { patchText } from '../../../../migrate/meshconfig/patch-text.ts';
import { rollBackText } from '../../../../migrate/meshconfig/rollback-text.ts';
import { bridge } from '../../../support/migrate/patch-outcome.ts';

const original = `apiVersion: v1
kind: ConfigMap
metadata:
  name: istio
  namespace: istio-system
  resourceVersion: "1"
data:
  mesh: |-
    # the mesh
    configSources:
    - address: registry:9901   # of old
    rootNamespace: istio-system
  meshNetworks: "networks: {}"
`;

function patched(text: string, index = 0): { text: string; backup: Backup } {
  const found = findMeshConfigs('istio.yaml', text);
  const place = found.meshes[index];
  if (place === undefined) throw new Error('there is no mesh config');
  const done = patchText(found, place, { bridge, kubernetes: true, toMinor: 24 });
  if ('refused' in done) throw done.refused;
  const bytes = Buffer.from(text);
  const sums = { before: sha256(bytes), after: sha256(Buffer.from(done.text)) };
  const file = { file: 'istio.yaml', place: placeIdOf(place), sha256: sums, edits: done.edits, original: bytes };
  const backup = readBackup(writeBackup(file));
  if (typeof backup === 'string') throw new Error(backup);
  return { text: done.text, backup };
}

describe('a file that changed since the patch', () => {
  const { text, backup } = patched(original);

  test('elsewhere keeps that change', () => {
    const change = (some: string) =>
      some.replace('resourceVersion: "1"', 'resourceVersion: "2"').replace('networks: {}', 'networks: {n: {}}');
    expect(rollBackText(backup, original, change(text))).toEqual({ text: change(original), kept: true });
  });

  test('by documents before and behind it keeps those', () => {
    const change = (some: string) => `a: 1\n---\n${some}---\nb: 1\n`;
    expect(rollBackText(backup, original, change(text))).toEqual({ text: change(original), kept: true });
  });

  test('by being written anew, as kubectl does, gets the old list in the form that it has now', () => {
    const found = findMeshConfigs('f', text).meshes[0]?.text.layer.text ?? '';
    const json = JSON.stringify(
      {
        kind: 'ConfigMap',
        apiVersion: 'v1',
        metadata: { name: 'istio', namespace: 'istio-system' },
        data: { mesh: found },
      },
      undefined,
      2,
    );
    const back = rollBackText(backup, original, json);
    if ('reason' in back) throw new Error(back.reason);
    const mesh = (JSON.parse(back.text) as { data: { mesh: string } }).data.mesh;
    expect(mesh).toBe(findMeshConfigs('f', original).meshes[0]?.text.layer.text);
  });

  test.each([
    ['in the list', (some: string) => some.replace('k8s://', 'k8s://x')],
    [
      'in another setting of the mesh config',
      (some: string) => some.replace('rootNamespace: istio-system', 'rootNamespace: other'),
    ],
    ['in a comment of the mesh config', (some: string) => some.replace('# the mesh', '# our mesh')],
  ])('%s is refused, and what differs is there to be shown', (_what, change) => {
    const now = change(text);
    const result = rollBackText(backup, original, now);
    expect(result).toMatchObject({ reason: 'its mesh config was changed since the patch' });
    if (!('reason' in result)) throw new Error('it was rolled back');
    expect(text).toContain(result.patched);
    expect(now).toContain(result.now);
    expect(result.now).not.toBe(result.patched);
  });

  test.each([
    ['that has lost its mesh config', 'a: 1\n', 'there is no ConfigMap istio-system/istio, data.mesh in it any more'],
    ['that has another name', text.replace('name: istio\n', 'name: istio-canary\n'), 'there is no ConfigMap'],
    ['that is broken', text.replace('data:', 'data: ['), /line \d+: no readable YAML/],
  ])('%s is refused', (_what, now, reason) => {
    const result = rollBackText(backup, original, now);
    expect(result).toMatchObject({ reason: expect.stringMatching(reason), patched: undefined });
  });
});

test('of several mesh configs the one that was patched is meant', () => {
  const two = `${original}---\n${original.replace('name: istio\n', 'name: istio-canary\n')}`;
  const { text, backup } = patched(two, 1);
  expect(text.startsWith(original)).toBe(true);
  const change = (some: string) => some.replace('# the mesh', '# changed');
  expect(rollBackText(backup, two, change(text))).toEqual({ text: change(two), kept: true });
});

describe('a backup', () => {
  const { backup } = patched(original);

  test('holds bytes of any kind', () => {
    const bytes = Buffer.from([0xef, 0xbb, 0xbf, 0, 10, 13, 10, 255, 10, 61, 61, 61]);
    const read = readBackup(writeBackup({ ...backup, original: bytes, sha256: { before: sha256(bytes), after: 'x' } }));
    expect(read).toMatchObject({ file: 'istio.yaml', place: backup.place, edits: backup.edits });
    expect((read as Backup).original.equals(bytes)).toBe(true);
  });

  test('says how to get at the original without this program', () => {
    const text = writeBackup(backup).toString();
    const [, expression = ''] = /sed '(.+)' THIS-FILE/.exec(text) ?? [];
    expect(expression).toBe('1,/^=== the file as it was/d');
    expect(text.slice(text.indexOf('\n', text.indexOf('\n===') + 1) + 1)).toBe(original);
  });

  test.each([
    ['another file', 'a: 1\n', 'it is no backup'],
    [
      'a later format',
      writeBackup(backup).toString().replace('format: 1', 'format: 2'),
      'it has format 2, and this Isthmus reads 1',
    ],
    [
      'a head that is no YAML',
      writeBackup(backup).toString().replace('format: 1', 'format: ['),
      "its head can't be read",
    ],
    [
      'a head that lacks something',
      writeBackup(backup).toString().replace('place:', 'plaice:'),
      'its head lacks something',
    ],
    [
      'an original that was changed',
      writeBackup(backup).toString().replace('# of old', '# of new'),
      'the original in it is not what it was',
    ],
  ])('that is %s is not taken', (_what, text, reason) => {
    expect(readBackup(Buffer.from(text))).toContain(reason);
  });
});

test('a megabyte of mesh config is edited and taken back', () => {
  const providers = Array.from(
    { length: 10_000 },
    (_, i) =>
      `    - name: p${i} # comment ${i}\n      zipkin: {service: zipkin-${i}.tracing.svc.cluster.local, port: 9411}\n`,
  );
  const large = original.replace(
    '    rootNamespace',
    `    extensionProviders:\n${providers.join('')}    rootNamespace`,
  );
  expect(Buffer.byteLength(large)).toBeGreaterThan(1_000_000);
  const { text, backup } = patched(large);
  expect(text.length - large.length).toBeLessThan(100);
  expect(rollBackText(backup, large, text)).toEqual({ text: large, kept: true });
}, 120_000);
