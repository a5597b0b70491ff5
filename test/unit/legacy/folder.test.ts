import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { watchFolder } from '../../../src/legacy/folder.ts';
import type { SourceView } from '../../../src/legacy/source.ts';
import { knownCollections } from '../../../src/model/kinds.ts';
import { viewResourceBytes } from '../../../src/wire/resource-view.ts';
import { eventually } from '../../support/eventually.ts';
import { serviceEntry, workloadEntry } from '../../support/resources.ts';
import { tempFolder } from '../../support/temp-folder.ts';

/** A ServiceEntry in YAML. */
function service(name: string, host = 'a.example', version = 'v1'): string {
  return [
    '---',
    `apiVersion: networking.istio.io/${version}`,
    'kind: ServiceEntry',
    `metadata: { name: ${name}, namespace: x }`,
    `spec: { hosts: [${host}], resolution: DNS, ports: [{ number: 80, name: http, protocol: HTTP }] }`,
    '',
  ].join('\n');
}

const workload = `---
apiVersion: networking.istio.io/v1
kind: WorkloadEntry
metadata: { name: w, namespace: x }
spec: { address: 192.0.2.1 }
`;

/** What a watched folder has said. */
class Watched {
  readonly folder: string;
  readonly views: SourceView[] = [];
  readonly counts: number[] = [];
  readonly findings: string[] = [];
  close: () => Promise<void> = () => Promise.resolve();

  constructor(files: Readonly<Record<string, string>>) {
    this.folder = tempFolder(files);
  }

  async start(folder = this.folder): Promise<this> {
    this.close = await watchFolder(folder, {
      onView: (view, resources) => {
        this.views.push(view);
        this.counts.push(resources);
      },
      onFinding: (line) => this.findings.push(line.replace(`${folder}/`, '')),
    });
    onTestFinished(() => this.close());
    return this;
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  write(file: string, text: string): void {
    writeFileSync(this.path(file), text);
  }

  /** Names of what is served in a collection, in order. */
  names(collection = serviceEntry.collection ?? ''): string[] {
    const resources = this.views.at(-1)?.get(collection)?.resources ?? [];
    return resources.map((bytes) => viewResourceBytes(bytes).name);
  }

  serves(...names: readonly string[]): Promise<void> {
    return eventually(() => expect(this.names()).toEqual(names));
  }
}

const watch = (files: Readonly<Record<string, string>>) => new Watched(files).start();

describe('the first view', () => {
  test('is there before anything else, with every file, sub-folders included, in order of their paths', async () => {
    const watched = await watch({
      'b.yaml': service('b'),
      'a.yml': service('a1') + service('a2'),
      'sub/deep/c.json': JSON.stringify({
        apiVersion: 'networking.istio.io/v1',
        kind: 'WorkloadEntry',
        metadata: { name: 'c' },
        spec: { address: '192.0.2.1' },
      }),
      'notes.txt': service('no'),
    });
    expect(watched.views).toHaveLength(1);
    expect(watched.names()).toEqual(['x/a1', 'x/a2', 'x/b']);
    expect(watched.names(workloadEntry.collection)).toEqual(['default/c']);
    expect([watched.counts, watched.findings]).toEqual([[4], []]);
  });

  test('of an empty folder has every collection, with nothing in it, under a version that is not ""', async () => {
    const { views } = await watch({});
    expect([...(views[0]?.keys() ?? [])]).toEqual(knownCollections);
    for (const { version, resources } of views[0]?.values() ?? []) {
      expect(version).toMatch(/^.{16}$/);
      expect(resources).toEqual([]);
    }
  });

  test('tells contents apart by the version of their collection, and agrees with that of another process', async () => {
    const [one, same, other] = await Promise.all([
      watch({ 'a.yaml': service('a') + workload }),
      watch({ 'z.yaml': service('a') + workload }),
      watch({ 'a.yaml': service('a', 'b.example') + workload }),
    ]);
    const versions = ({ views }: Watched) =>
      [serviceEntry, workloadEntry].map(({ collection }) => views[0]?.get(collection ?? '')?.version);
    expect(versions(same)).toEqual(versions(one));
    expect(versions(other)[0]).not.toBe(versions(one)[0]);
    expect(versions(other)[1]).toBe(versions(one)[1]);
  });

  test('of a folder that is not there is an error', async () => {
    await expect(new Watched({}).start('/nonexistent/folder')).rejects.toThrow('ENOENT');
  });
});

test('a kind that legacy MCP never had is not served, and it says so', async () => {
  const plugin = 'apiVersion: extensions.istio.io/v1alpha1\nkind: WasmPlugin\nmetadata: {name: w}\nspec: {url: a}\n';
  const watched = await watch({ 'a.yaml': service('a') + '---\n' + plugin });
  expect(watched.names()).toEqual(['x/a']);
  expect([watched.counts, watched.findings]).toEqual([
    [1],
    ['a.yaml:7: WasmPlugin default/w is not served: legacy MCP has no collection for its kind'],
  ]);
});

describe('a file', () => {
  test('that comes, changes and goes takes its resources with it', async () => {
    const watched = await watch({ 'a.yaml': service('a') });
    watched.write('b.yaml', service('b'));
    await watched.serves('x/a', 'x/b');
    watched.write('a.yaml', service('c') + service('d'));
    await watched.serves('x/c', 'x/d', 'x/b');
    rmSync(watched.path('a.yaml'));
    await watched.serves('x/b');
    rmSync(watched.path('b.yaml'));
    await watched.serves();
    expect([watched.counts.at(-1), watched.findings]).toEqual([0, []]);
  });

  test('that comes while the first ones are read is not overlooked, nor one that goes', async () => {
    const watched = new Watched({ 'a.yaml': service('a'), 'b.yaml': service('b') });
    const started = watched.start();
    watched.write('c.yaml', service('c'));
    rmSync(watched.path('b.yaml'));
    await started;
    await watched.serves('x/a', 'x/c');
  });

  test('that is replaced by another one of its name is read again', async () => {
    const watched = await watch({ 'a.yaml': service('a') });
    watched.write('a.tmp', service('b'));
    renameSync(watched.path('a.tmp'), watched.path('a.yaml'));
    await watched.serves('x/b');
  });

  test('that says the same in other words makes no other view', async () => {
    const watched = await watch({ 'a.yaml': service('a') });
    watched.write('a.yaml', `# a comment\n${service('a', 'a.example', 'v1alpha3')}`);
    watched.write('b.yaml', service('b'));
    await watched.serves('x/a', 'x/b');
    expect(watched.views).toHaveLength(2);
  });

  test('of another kind of name is left alone, whatever is in it', async () => {
    const watched = await watch({ 'a.yaml': service('a') });
    watched.write('b.txt', service('b'));
    watched.write('c.yaml.swp', '{');
    watched.write('d.yaml', service('d'));
    await watched.serves('x/a', 'x/d');
    expect(watched.findings).toEqual([]);
  });
});

describe('a sub-folder', () => {
  test('is watched like its parent, also one that comes later; gone, it takes its files with it', async () => {
    const watched = await watch({ 'sub/a.yaml': service('a') });
    mkdirSync(watched.path('later/deep'), { recursive: true });
    watched.write('later/deep/b.yaml', service('b'));
    await watched.serves('x/b', 'x/a');
    rmSync(watched.path('sub'), { recursive: true });
    await watched.serves('x/b');
  });

  test('that is named like a file is a folder all the same', async () => {
    const watched = await watch({ 'a.yaml': service('a'), 'sub.yaml/b.yaml': service('b') });
    expect(watched.names()).toEqual(['x/a', 'x/b']);
    expect(watched.findings).toEqual([]);
  });
});

describe('a file that is not right', () => {
  test('half written, keeps what it last said', async () => {
    const text = service('a') + service('b');
    const watched = await watch({ 'a.yaml': text, 'z.yaml': service('z') });
    watched.write('a.yaml', text.slice(0, text.indexOf('hosts') + 8));
    await eventually(() => watched.findings.length > 0);
    watched.write('z.yaml', service('y'));
    await watched.serves('x/a', 'x/b', 'x/y');
    watched.write('a.yaml', service('b'));
    await watched.serves('x/b', 'x/y');
  });

  test('with one broken document serves the others, and keeps what the broken one said', async () => {
    const watched = await watch({ 'a.yaml': service('a') + service('b') });
    watched.write('a.yaml', `${service('a', 'other.example')}${service('b').replace('80', 'eighty')}${service('c')}`);
    await watched.serves('x/a', 'x/b', 'x/c');
    expect(watched.findings).toEqual([expect.stringMatching(/^a\.yaml:10:\d+: spec\.ports\[0\]\.number: /)]);
  });

  test('from the start serves what is right in it', async () => {
    const watched = await watch({ 'a.yaml': `${service('a')}---\nkind: [\n`, 'b.yaml': service('b') });
    expect(watched.names()).toEqual(['x/a', 'x/b']);
    expect(watched.findings).toEqual([expect.stringMatching(/^a\.yaml:\d+:\d+: /)]);
  });

  test('since it breaks a rule of Istio is served all the same, with a warning that says where', async () => {
    const watched = await watch({ 'a.yaml': service('a') + service('b', '"*"') });
    await watched.serves('x/a', 'x/b');
    expect(watched.findings.map((line) => line.split(': istiod')[0])).toEqual([
      'a.yaml:10:17: spec.hosts[0]: "*" is no host of a service',
    ]);
  });

  test('as it cannot be read, keeps what it said; the others are served', async () => {
    const watched = await watch({ 'a.yaml': service('a') });
    symlinkSync(watched.path('nowhere'), watched.path('b.yaml'));
    const other = await new Watched({}).start(watched.folder);
    expect(other.names()).toEqual(['x/a']);
    expect(other.findings).toEqual([expect.stringMatching(/^b\.yaml: ENOENT.*; what it last said stays$/)]);
  });
});

test('of a name in two files the one of the first path is served; when that goes, the other one is', async () => {
  const watched = await watch({ 'b.yaml': service('a', 'b.example'), 'a.yaml': service('a', 'a.example') });
  expect(watched.names()).toEqual(['x/a']);
  expect(watched.findings).toEqual([
    `b.yaml:2: ServiceEntry x/a is in ${watched.path('a.yaml')} already; that one is served`,
  ]);
  const [before] = watched.views;
  rmSync(watched.path('a.yaml'));
  await eventually(() => watched.views.length === 2);
  expect(watched.names()).toEqual(['x/a']);
  const state = (view: SourceView | undefined) => view?.get(serviceEntry.collection ?? '')?.resources;
  expect(state(watched.views[1])).not.toEqual(state(before));
});

test.each([
  ['from the current folder', (folder: string) => relative(process.cwd(), folder)],
  ['from the current folder, with a dot', (folder: string) => `./${relative(process.cwd(), folder)}`],
  ['with a slash at its end', (folder: string) => `${folder}/`],
])('a folder may be written %s', async (_how, spell) => {
  const watched = new Watched({ 'a.yaml': service('a'), 'sub/b.yaml': service('b') });
  await watched.start(spell(watched.folder));
  watched.write('a.yaml', service('c'));
  rmSync(watched.path('sub/b.yaml'));
  await watched.serves('x/c');
  expect(watched.findings).toEqual([]);
});

test('a folder that is removed takes its resources with it', async () => {
  const watched = await watch({ 'a.yaml': service('a'), 'sub/b.yaml': service('b') });
  rmSync(watched.folder, { recursive: true });
  await watched.serves();
  expect(watched.views.at(-1)?.size).toBe(knownCollections.length);
});

test('a folder that is closed says nothing any more', async () => {
  const watched = await watch({ 'a.yaml': service('a') });
  const second = await new Watched({}).start(watched.folder);
  await watched.close();
  watched.write('b.yaml', service('b'));
  await second.serves('x/a', 'x/b');
  expect(watched.views).toHaveLength(1);
});
