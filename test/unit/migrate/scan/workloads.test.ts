import { expect, test } from 'vitest';
import { flagValue } from '../../../../migrate/scan/workloads.ts';
import { scanTexts } from '../../../support/migrate/check-cases.ts';

const pod = (container: string, kind = 'Deployment') => {
  const indent = kind === 'Pod' ? '' : '    ';
  const spec = `spec:\n  containers:\n  - ${container.trim().replaceAll('\n', '\n    ')}\n`;
  const below = kind === 'Pod' ? spec : `spec:\n  template:\n${spec.replaceAll(/^(?=.)/gm, indent)}`;
  return `apiVersion: v1\nkind: ${kind}\nmetadata: { name: w, namespace: n }\n${below}`;
};

const programOf = (text: string) => {
  const { programs } = scanTexts({ in: text });
  expect(programs).toHaveLength(1);
  const [program] = programs;
  if (program === undefined) throw new Error('none');
  return program;
};

test.each([
  ['docker.io/istio/pilot:1.5.10', 'pilot', '1.5.10'],
  ['gcr.io/istio-release/galley:1.4.10-distroless', 'galley', '1.4.10-distroless'],
  ['registry.local:5000/istio/mixer:1.7.8@sha256:00', 'mixer', '1.7.8'],
  ['registry.local:5000/pilot', 'pilot', undefined],
  ['istio/pilot:latest', 'pilot', undefined],
  ['istio/pilot:1.8-dev', 'pilot', '1.8-dev'],
])('the image %s is %s %s', (image, role, version) => {
  const program = programOf(pod(`name: c\nimage: ${image}`));
  expect([program.role, program.version?.text]).toEqual([role, version]);
});

test('another image is told by what it runs', () => {
  expect(programOf(pod('image: x/y\ncommand: [/usr/local/bin/galley, server]')).role).toBe('galley');
  expect(programOf(pod('image: x/y\nargs: [/usr/local/bin/mixs, server]')).role).toBe('mixer');
  expect(programOf(pod('image: x/y\ncommand: ["sh", "-c", "pilot-discovery discovery --domain x"]')).role).toBe(
    'pilot',
  );
});

test('proxies, and words that only look like a program, are none', () => {
  const others = [
    pod('image: istio/proxyv2:1.5.10\nargs: [proxy, --serviceCluster, pilot, --x, galley]'),
    pod('image: istio/operator:1.6.14\ncommand: [operator, server]'),
    'apiVersion: v1\nkind: Service\nmetadata: { name: pilot }\nspec: {}\n',
  ];
  expect(scanTexts({ in: others.join('---\n') }).programs).toEqual([]);
});

test.each(['Deployment', 'StatefulSet', 'DaemonSet', 'ReplicaSet', 'Pod'])('a %s is read', (kind) => {
  const program = programOf(pod('image: istio/pilot:1.8.6\nname: discovery', kind));
  expect(program.subject).toBe(`${kind} n/w, container discovery`);
});

test('containers of a list, and those that run first, are read', () => {
  const deployment = pod('image: istio/pilot:1.8.6')
    .replaceAll(/^(?=.)/gm, '  ')
    .replace('  apiVersion', '- apiVersion');
  const scanned = scanTexts({ in: `apiVersion: v1\nkind: List\nitems:\n${deployment}` });
  expect(scanned.programs.map(({ at }) => at)).toEqual([{ file: 'in.yaml', line: 11, column: 18 }]);
  expect(programOf(pod('image: istio/pilot:1.8.6').replace('containers', 'initContainers')).role).toBe('pilot');
});

test('flags in each of their forms, with their places; the last one counts', () => {
  const program = programOf(
    pod(`image: istio/pilot
args:
- discovery
- --registries=Consul
- --domain
- cluster.local
- -a
- istio-system
- --log_as_json
- --meshConfig="/etc/mesh"
- --registries=
`),
  );
  expect(program.flags.map(({ name, value, at }) => [name, value, at.line, at.column])).toEqual([
    ['registries', 'Consul', 11, 11],
    ['domain', 'cluster.local', 12, 11],
    ['a', 'istio-system', 14, 11],
    ['log_as_json', undefined, 16, 11],
    ['meshConfig', '/etc/mesh', 17, 11],
    ['registries', '', 18, 11],
  ]);
  expect([flagValue(program, 'registries'), flagValue(program, 'x')]).toEqual(['', undefined]);
});

test('variables, with an empty value where it comes from elsewhere', () => {
  const program = programOf(
    pod(`image: istio/pilot
env:
- name: REVISION
  value: canary
- name: POD_NAME
  valueFrom: { fieldRef: { fieldPath: metadata.name } }
- 3
`),
  );
  expect(program.env.map(({ name, value }) => [name, value])).toEqual([
    ['REVISION', 'canary'],
    ['POD_NAME', ''],
  ]);
});
