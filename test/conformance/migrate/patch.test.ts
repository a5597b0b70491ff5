import { chmodSync, existsSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { Cli, run } from '../../support/cli.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const configMap = `apiVersion: v1
kind: ConfigMap
metadata:
  name: istio-canary
  namespace: mesh
data:
  mesh: |
    # of production
    configSources:
    - address: registry-mcp.infra:9901   # of old
      tlsSettings:
        mode: ISTIO_MUTUAL
    rootNamespace: istio-system
`;

const patchedConfigMap = configMap.replace(
  `    - address: registry-mcp.infra:9901   # of old
      tlsSettings:
        mode: ISTIO_MUTUAL
`,
  `    - address: xds://isthmus.mesh:15410   # of old
    - address: k8s://
`,
);

const bridge = ['--bridge', 'isthmus.mesh:15410'];

function lab(text = configMap) {
  const folder = tempFolder({ 'cm.yaml': text });
  const path = (name: string) => join(folder, name);
  const read = (name: string) => readFileSync(path(name), 'utf8');
  const writes = (out: string, backup = 'cm.bak') => ['--out', path(out), '--backup', path(backup)];
  return { folder, path, read, writes };
}

describe('isthmus migrate patch', () => {
  test('without --out shows the change and what is left to do, and writes nothing', async () => {
    const { folder, path } = lab();
    const { code, stdout, stderr } = await run('migrate', 'patch', path('cm.yaml'), ...bridge, '--to-version', '1.24');
    expect(code).toBe(0);
    expect(stdout).toContain('-    - address: registry-mcp.infra:9901   # of old\n');
    expect(stdout).toContain('+    - address: xds://isthmus.mesh:15410   # of old\n+    - address: k8s://\n');
    expect(stderr).toContain('* registry-mcp.infra:9901 becomes xds://isthmus.mesh:15410: it is legacy MCP');
    expect(stderr).toContain('istiod before 1.26 ignores it and connects in plaintext');
    expect(stderr).toContain('Nothing was written: give --out and --backup for that.');
    expect(stderr).toContain(
      'isthmus serve --xds-listen 0.0.0.0:15410 --source registry-mcp=mcps://registry-mcp.infra:9901',
    );
    expect(stderr).toContain('kubectl -n mesh apply -f NEW-FILE');
    expect(stderr).toContain('kubectl -n mesh rollout restart deploy/istiod-canary');
    expect(readdirSync(folder)).toEqual(['cm.yaml']);
  });

  test('names the sources of the bridge as the plan does, and two of the same name apart', async () => {
    const { path } = lab('configSources: [{address: "istio-galley.a:9901"}, {address: "istio-galley.b:9901"}]\n');
    const { stderr } = await run('migrate', 'patch', path('cm.yaml'), ...bridge);
    expect(stderr).toContain('--source galley=mcp://istio-galley.a:9901 --source galley-2=mcp://istio-galley.b:9901\n');
    const plan = await run('migrate', 'plan', path('cm.yaml'), ...bridge);
    expect(plan.stdout).toContain('- name: galley-2\n  address: mcp://istio-galley.b:9901\n');
  });

  test('does not take a restart for all there is to do where a Pilot of old may run', async () => {
    const pilot = /^\d\. Restart istiod: .+\. Where a Pilot up to 1\.8 runs, .+put the new istiod in its place/m;
    const legacy = lab();
    expect((await run('migrate', 'patch', legacy.path('cm.yaml'), ...bridge)).stderr).toMatch(pilot);
    const none = lab('meshConfig:\n  configSources:\n  - address: k8s://\n');
    const { stderr } = await run('migrate', 'patch', none.path('cm.yaml'), ...bridge);
    expect(stderr).toMatch(/^\d\. Restart istiod: it reads configSources only when it starts$/m);
  });

  test('writes the new file and a backup; rollback gives the bytes back', async () => {
    const { path, read, writes } = lab();
    const patch = await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('new.yaml'));
    expect(patch.code).toBe(0);
    expect(read('new.yaml')).toBe(patchedConfigMap);
    expect(read('cm.yaml')).toBe(configMap);
    expect(statSync(path('cm.bak')).mode & 0o777).toBe(0o600);
    expect(patch.stderr).toContain(
      `isthmus migrate rollback ${path('new.yaml')} --backup ${path('cm.bak')} --out OLD-FILE`,
    );

    const shown = await run('migrate', 'rollback', path('new.yaml'), '--backup', path('cm.bak'));
    expect([shown.code, existsSync(path('old.yaml'))]).toEqual([0, false]);
    expect(shown.stdout).toContain('-    - address: k8s://\n');
    const back = await run('migrate', 'rollback', path('new.yaml'), ...writes('old.yaml'));
    expect(back.code).toBe(0);
    expect(read('old.yaml')).toBe(configMap);
    const again = await run('migrate', 'rollback', path('old.yaml'), '--backup', path('cm.bak'));
    expect([again.code, again.stdout]).toEqual([0, '']);
    expect(again.stderr).toContain('nothing to change');
  });

  test('a second patch in place changes no byte, and leaves the backup of the first alone', async () => {
    const { path, read, writes } = lab();
    await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('cm.yaml'));
    const [patched, backup] = [read('cm.yaml'), read('cm.bak')];
    expect(patched).toBe(patchedConfigMap);
    const { code, stdout, stderr } = await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('cm.yaml'));
    expect([code, stdout]).toEqual([0, '']);
    expect(stderr).toContain('nothing to change');
    expect([read('cm.yaml'), read('cm.bak')]).toEqual([patched, backup]);
    const back = await run('migrate', 'rollback', path('cm.yaml'), ...writes('cm.yaml'));
    expect([back.code, read('cm.yaml')]).toEqual([0, configMap]);
  });

  test('another patch of the same file needs a backup of its own, and the way back is by both', async () => {
    const { path, read, writes } = lab();
    await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('cm.yaml'));
    const [patched, backup] = [read('cm.yaml'), read('cm.bak')];
    const other = ['migrate', 'patch', path('cm.yaml'), '--bridge', 'other.mesh:15410'];
    const refused = await run(...other, ...writes('cm.yaml'));
    expect([refused.code, refused.stdout]).toEqual([2, '']);
    expect(refused.stderr).toContain('cm.bak: it is the backup of an earlier patch, and can’t take this one back\n');
    expect([read('cm.yaml'), read('cm.bak')]).toEqual([patched, backup]);

    expect((await run(...other, ...writes('cm.yaml', 'second.bak'))).code).toBe(0);
    expect(read('cm.yaml')).toContain('xds://other.mesh:15410');
    await run('migrate', 'rollback', path('cm.yaml'), ...writes('cm.yaml', 'second.bak'));
    expect(read('cm.yaml')).toBe(patched);
    await run('migrate', 'rollback', path('cm.yaml'), ...writes('cm.yaml'));
    expect(read('cm.yaml')).toBe(configMap);
  });

  test('reads standard input and writes standard output, which holds nothing but the file', async () => {
    const { path } = lab();
    const args = ['migrate', 'patch', '-', ...bridge, '--out', '-', '--backup', path('cm.bak')];
    const patch = new Cli(args, {}, configMap.replaceAll('\n', '\r\n'));
    expect((await patch.end()).code).toBe(0);
    expect(patch.stdout).toBe(patchedConfigMap.replaceAll('\n', '\r\n'));
    expect(patch.stderr).toContain('+    - address: k8s://');
    const back = new Cli(['migrate', 'rollback', '-', '--backup', path('cm.bak'), '--out', '-'], {}, patch.stdout);
    expect((await back.end()).code).toBe(0);
    expect(back.stdout).toBe(configMap.replaceAll('\n', '\r\n'));
  });

  test('keeps the rights of the file that it writes over', async () => {
    const { path, writes } = lab();
    chmodSync(path('cm.yaml'), 0o640);
    await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('cm.yaml'));
    expect(statSync(path('cm.yaml')).mode & 0o777).toBe(0o640);
  });

  test('what it cannot edit it refuses with exit code 1, with the place and the list to write by hand', async () => {
    const { folder, path, writes } = lab('x: &all\n  configSources: [{address: galley:1}]\nmeshConfig: *all\n');
    const { code, stdout, stderr } = await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('new.yaml'));
    expect([code, stdout]).toEqual([1, '']);
    expect(stderr).toMatch(/cm\.yaml:3:13: an alias \(\*all\) is in the way/);
    expect(stderr).toContain('    configSources:\n    - address: xds://isthmus.mesh:15410\n    - address: k8s://\n');
    expect(readdirSync(folder)).toEqual(['cm.yaml']);
  });

  test('values without a mesh config are told what to add', async () => {
    const { path } = lab('global:\n  useMCP: true\n');
    const { code, stderr } = await run('migrate', 'patch', path('cm.yaml'), ...bridge);
    expect(code).toBe(2);
    expect(stderr).toContain('    meshConfig:\n      configSources:\n      - address: xds://isthmus.mesh:15410\n');
  });

  test.each([
    ['no --bridge', [], /Missing required argument: bridge/],
    ['a bridge without a port', ['--bridge', 'isthmus'], /"isthmus" is no HOST:PORT\n  write for example isthmus\./],
    ['a bridge that is no host', ['--bridge', '{{x}}:1'], /--bridge: "{{x}}" is no name of a host/],
    ['a version that is none', [...bridge, '--to-version', 'latest'], /--to-version: "latest" is no version/],
    ['a version of old', [...bridge, '--to-version', '1.8'], /1\.8 speaks legacy MCP itself/],
    ['--out without --backup', [...bridge, '--out', 'x'], /--backup: is needed with --out/],
    ['--backup without --out', [...bridge, '--backup', 'x'], /--out: is needed with --backup/],
    ['one file for both', [...bridge, '--out', 'x', '--backup', 'x'], /--backup: has to be a file of its own/],
    ['a document that is not there', [...bridge, '--document', '2'], /none of its mesh configs is meant/],
  ])('%s is exit code 2', async (_what, flags, message) => {
    const { path } = lab();
    const { code, stdout, stderr } = await run('migrate', 'patch', path('cm.yaml'), ...flags);
    expect([code, stdout]).toEqual([2, '']);
    expect(stderr).toMatch(message);
  });

  test.each([
    ['no file', undefined, /there is no such file/],
    ['a file that is no text', Buffer.from([0x61, 0xff, 0xfe]), /is no text in UTF-8/],
    ['broken YAML', Buffer.from('a: [\n'), /cm\.yaml:2:1: no readable YAML/],
    ['nothing of istiod’s', Buffer.from('a: 1\n'), /there is no mesh config in it, but something else/],
  ])('%s is exit code 2', async (_what, bytes, message) => {
    const { path } = lab();
    if (bytes !== undefined) writeFileSync(path('cm.yaml'), bytes);
    const file = bytes === undefined ? path('other.yaml') : path('cm.yaml');
    const { code, stderr } = await run('migrate', 'patch', file, ...bridge);
    expect(code).toBe(2);
    expect(stderr).toMatch(message);
  });

  test('a backup of something else is never written over; a folder that is not there is exit code 3', async () => {
    const { folder, path, read, writes } = lab();
    writeFileSync(path('cm.bak'), 'precious');
    const { code, stderr } = await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('new.yaml'));
    expect(code).toBe(2);
    expect(stderr).toContain('there is such a file already, and it is the backup of something else');
    expect([read('cm.bak'), existsSync(path('new.yaml'))]).toEqual(['precious', false]);
    const nowhere = await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('no/new.yaml', 'other.bak'));
    expect(nowhere.code).toBe(3);
    expect(readdirSync(folder).sort()).toEqual(['cm.bak', 'cm.yaml', 'other.bak']);
  });
});

describe('isthmus migrate rollback', () => {
  test('refuses where the mesh config was changed since, and shows that change', async () => {
    const { path, read, writes } = lab();
    await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('new.yaml'));
    const changed = read('new.yaml').replace('rootNamespace: istio-system', 'rootNamespace: other');
    writeFileSync(path('new.yaml'), changed);
    const { code, stdout, stderr } = await run('migrate', 'rollback', path('new.yaml'), ...writes('new.yaml'));
    expect(code).toBe(1);
    expect(stdout).toContain('-    rootNamespace: istio-system\n+    rootNamespace: other');
    expect(stderr).toContain('its mesh config was changed since the patch');
    expect(read('new.yaml')).toBe(changed);
  });

  test('keeps what was changed elsewhere, and says so', async () => {
    const { path, read, writes } = lab();
    await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('new.yaml'));
    writeFileSync(path('new.yaml'), read('new.yaml').replace('namespace: mesh', 'namespace: mesh\n  labels: {a: b}'));
    const { code, stderr } = await run('migrate', 'rollback', path('new.yaml'), ...writes('new.yaml'));
    expect(code).toBe(0);
    expect(stderr).toContain('What was changed outside of the mesh config since the patch stays.');
    expect(read('new.yaml')).toBe(configMap.replace('namespace: mesh', 'namespace: mesh\n  labels: {a: b}'));
  });

  test('says how to apply a ConfigMap whose resourceVersion is one of before the patch, and whom to bring back', async () => {
    const { path, read, writes } = lab(
      configMap.replace('  namespace: mesh\n', '  namespace: mesh\n  resourceVersion: "7"\n'),
    );
    await run('migrate', 'patch', path('cm.yaml'), ...bridge, ...writes('new.yaml'));
    const { stderr } = await run('migrate', 'rollback', path('new.yaml'), ...writes('old.yaml'));
    expect(read('old.yaml')).toBe(read('cm.yaml'));
    expect(stderr).toContain(`   sed '/^ *resourceVersion:/d' ${path('old.yaml')} | kubectl -n mesh replace -f -\n`);
    expect(stderr).toContain('put that Pilot back in place of the restart.');

    const fresh = lab();
    await run('migrate', 'patch', fresh.path('cm.yaml'), ...bridge, ...fresh.writes('new.yaml'));
    const back = await run('migrate', 'rollback', fresh.path('new.yaml'), ...fresh.writes('old.yaml'));
    expect(back.stderr).not.toContain('resourceVersion');
  });

  test('takes nothing for a backup that is none', async () => {
    const { path } = lab();
    const { code, stderr } = await run('migrate', 'rollback', path('cm.yaml'), '--backup', path('cm.yaml'));
    expect(code).toBe(2);
    expect(stderr).toContain('it is no backup of isthmus migrate patch');
  });
});

describe('--help of migrate', () => {
  test.each([['patch'], ['rollback']])('%s holds examples, no line of which is broken', async (verb) => {
    const { code, stdout, stderr } = await run('migrate', verb, '--help');
    expect([code, stderr]).toEqual([0, '']);
    expect(stdout).toMatch(new RegExp(`^isthmus migrate ${verb} \\[FILE\\]`));
    const lines = stdout.slice(stdout.indexOf('Examples:')).trimEnd().split('\n').slice(1);
    expect(lines.filter((_, index) => index % 2 === 1).join('\n')).toMatch(/^( {2}isthmus migrate .+\n?)+$/);
  });

  test('lists the commands; none, or one that is unknown, is exit code 2', async () => {
    const help = await run('migrate', '--help');
    expect(help.stdout).toMatch(/^ +isthmus migrate patch \[file\]/m);
    expect(help.stdout).toMatch(/^ +isthmus migrate rollback \[file\]/m);
    expect(await run('migrate')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('give one of the commands of migrate'),
    });
    expect(await run('migrate', 'pach')).toMatchObject({
      code: 2,
      stderr: expect.stringContaining('Unknown argument: pach'),
    });
  });
});
