import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { describe, expect, onTestFinished, test } from 'vitest';
import { run } from '../../support/cli.ts';
import { sarifLog } from '../../support/migrate/sarif-schema.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const mesh = 'configSources:\n- address: istio-galley.istio-system.svc:9901\n';
const good = 'configSources:\n- address: xds://isthmus.istio-system.svc:15410\n- address: k8s://\n';

type Json = {
  readonly fromVersion: string | null;
  readonly toVersion: string | null;
  readonly summary: Readonly<Record<string, number>>;
  readonly findings: readonly {
    readonly code: string;
    readonly severity: string;
    readonly file: string;
    readonly line: number;
    readonly column: number;
    readonly message: string;
    readonly fix: string;
    readonly left: readonly { readonly versions: string }[];
  }[];
};

async function analyzed(...args: readonly string[]): Promise<{ code: number | null; report: Json }> {
  const { code, stdout, stderr } = await run('migrate', 'analyze', ...args, '-o', 'json');
  expect(stderr).toBe('');
  return { code, report: JSON.parse(stdout) as Json };
}

describe('isthmus migrate analyze', () => {
  test('prints for scripts what is wrong, where, and what to do, and exits with 1', async () => {
    const file = join(tempFolder({ 'mesh.yaml': mesh }), 'mesh.yaml');
    const { code, report } = await analyzed(file, '--from-version', '1.8.6', '--to-version', '1.24');
    expect(code).toBe(1);
    expect(report).toMatchObject({ fromVersion: '1.8.6', toVersion: '1.24', summary: { error: 2 } });
    expect(report.findings).toContainEqual({
      code: 'ADDRESS_LEGACY',
      severity: 'error',
      file,
      line: 2,
      column: 12,
      message: expect.stringContaining('"istio-galley.istio-system.svc:9901"') as string,
      fix: expect.stringContaining('xds://HOST:PORT') as string,
      left: [{ from: '1.9', to: null, versions: '1.9 and newer', what: expect.any(String) as string }],
    });
  });

  test('tells of each version what it does where the target is not known, and only of the target where it is', async () => {
    const insecure = 'configSources:\n- address: a.b:1\n  tlsSettings: { mode: SIMPLE }\n';
    const file = join(tempFolder({ 'mesh.yaml': insecure }), 'mesh.yaml');
    const codesOf = async (...args: readonly string[]) =>
      (await analyzed(file, ...args)).report.findings.flatMap(({ code }) => (code.startsWith('TLS_') ? [code] : []));
    expect(await codesOf()).toEqual(['TLS_IGNORED', 'TLS_UNVERIFIED']);
    expect(await codesOf('--to-version', '1.25.0')).toEqual(['TLS_IGNORED']);
    expect(await codesOf('--to-version', 'v1.26')).toEqual(['TLS_UNVERIFIED']);
  });

  test('exits with 0 where there are remarks alone', async () => {
    const file = join(tempFolder({ 'mesh.yaml': good }), 'mesh.yaml');
    const { code, report } = await analyzed(file, '--to-version', '1.24');
    expect({ code, summary: report.summary }).toMatchObject({ code: 0, summary: { error: 0, warning: 0 } });
    expect(report.findings.map((finding) => finding.code)).toContain('ALREADY_MIGRATED');
  });

  test('reads a folder, what is in it of everything, and goes on behind what is broken', async () => {
    const folder = tempFolder({
      'a/istio.yaml': `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: istio }\ndata:\n  mesh: |\n    ${mesh.replaceAll('\n', '\n    ')}\n`,
      'b/broken.yaml': 'a: [\n',
      'c/chart.yaml': '{{ if }}\n',
      'd/pilot.yaml':
        'apiVersion: apps/v1\nkind: Deployment\nmetadata: { name: istio-pilot }\nspec: { template: { spec: { containers: [{ image: "istio/pilot:1.7.8", args: ["--registries=Consul"] }] } } }\n',
      'e/rule.yaml': 'apiVersion: config.istio.io/v1alpha2\nkind: rule\nmetadata: { name: r }\nspec: {}\n',
    });
    writeFileSync(join(folder, 'f.yaml'), Buffer.from([0xff]));
    mkdirSync(join(folder, 'g.yaml'));
    const { code, report } = await analyzed(folder, '--to-version', '1.24');
    expect(code).toBe(1);
    expect(report.fromVersion).toBe('1.7.8');
    const wrong = report.findings.filter(({ severity }) => severity !== 'info');
    expect(wrong.map((one) => `${one.file.slice(folder.length + 1)}:${one.line}:${one.column} ${one.code}`)).toEqual([
      'a/istio.yaml:6:5 KUBERNETES_SOURCE_MISSING',
      'a/istio.yaml:7:16 ADDRESS_LEGACY',
      'a/istio.yaml:7:16 GALLEY_AND_KUBERNETES',
      'b/broken.yaml:2:1 YAML_INVALID',
      'c/chart.yaml:1:1 TEMPLATE',
      'd/pilot.yaml:4:51 VERSION_SKIP',
      'd/pilot.yaml:4:79 REGISTRY_REMOVED',
      'e/rule.yaml:2:7 COLLECTION_DROPPED',
      'f.yaml:1:1 FILE_UNREAD',
    ]);
  });

  test('reads standard input, as kubectl writes into a pipe', async () => {
    const main = join(import.meta.dirname, '../../../dist/src/main.js');
    const child = spawn(process.execPath, [main, 'migrate', 'analyze', '-', '--to-version', '1.24'], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    onTestFinished(() => {
      child.kill();
    });
    child.stdin.end(mesh);
    const output = await text(child.stdout);
    expect(output).toContain('<stdin>:2:12  error  ADDRESS_LEGACY');
    expect(output).toMatch(/2 errors, 1 warning, \d remarks \(from an unknown version to 1\.24\)\n$/);
  });

  test('compares with what the bridge serves', async () => {
    const entry = (name: string) =>
      `apiVersion: networking.istio.io/v1beta1\nkind: ServiceEntry\nmetadata: { name: ${name}, namespace: n }\nspec: { hosts: [${name}.x], ports: [{ number: 80, name: http, protocol: HTTP }], resolution: DNS }\n`;
    const folder = tempFolder({
      'cluster/all.yaml': `${entry('a')}---\n${entry('b')}`,
      'served.yaml': `${entry('c')}---\n${entry('b')}`,
    });
    const args = [join(folder, 'cluster'), '--behind', join(folder, 'served.yaml'), '--to-version', '1.24'];
    const { code, report } = await analyzed(...args);
    expect(code).toBe(1);
    expect(report.findings.map((one) => `${one.line}:${one.column} ${one.code}`)).toEqual(['7:7 SAME_KEY']);
  });

  test('a folder with nothing in it is said to have nothing', async () => {
    const folder = tempFolder({ 'readme.txt': 'x' });
    const { code, report } = await analyzed(folder);
    expect(code).toBe(1);
    expect(report.findings.map((one) => [one.code, one.file])).toEqual([['NOTHING_FOUND', folder]]);
  });

  test('writes SARIF and Markdown', async () => {
    const file = join(tempFolder({ 'mesh.yaml': mesh }), 'mesh.yaml');
    const sarif = await run('migrate', 'analyze', file, '-o', 'sarif');
    const [first] = sarifLog.parse(JSON.parse(sarif.stdout)).runs;
    expect(first?.results.map(({ ruleId }) => ruleId)).toContain('ADDRESS_LEGACY');
    const markdown = await run('migrate', 'analyze', file, '-o', 'markdown');
    expect([sarif.code, markdown.code]).toEqual([1, 1]);
    expect(markdown.stdout).toContain('## Errors\n\n- [ ] **');
  });

  test('a mistake of the command line is 2, and says what to write', async () => {
    const file = join(tempFolder({ 'mesh.yaml': mesh }), 'mesh.yaml');
    const failures = await Promise.all([
      run('migrate', 'analyze'),
      run('migrate', 'analyze', `${file}.gone`),
      run('migrate', 'analyze', file, '--to-version', '24'),
      run('migrate', 'analyze', file, '--behind', `${file}.gone`),
      run('migrate', 'analyze', file, '-o', 'yaml'),
    ]);
    expect(failures.map(({ code }) => code)).toEqual([2, 2, 2, 2, 2]);
    expect(failures.map(({ stdout }) => stdout).join('')).toBe('');
    expect(failures[1]?.stderr).toContain('mesh.yaml.gone: does not exist');
    expect(failures[2]?.stderr).toContain('write for example --to-version 1.24');
  });

  test('helps, with examples that can be copied', async () => {
    const { code, stdout } = await run('migrate', 'analyze', '--help');
    expect(code).toBe(0);
    expect(stdout).toContain('\n  isthmus migrate analyze manifests/ --from-version 1.5.10 --to-version 1.24\n');
    expect((await run('migrate', '--help')).stdout).toContain('isthmus migrate analyze [files..]');
  });
});
