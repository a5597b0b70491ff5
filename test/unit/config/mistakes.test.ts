import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { loadConfig } from '../../../src/config/load.ts';
import { tempFolder } from '../../support/temp-folder.ts';
import { thrownBy } from '../../support/thrown.ts';

/** What loading `text` is refused with; the folder of the file left out. */
function refusal(text: string): string {
  const folder = tempFolder({ 'i.yaml': text });
  const error = thrownBy(() => loadConfig(join(folder, 'i.yaml')));
  expect([error.code, error.exitCode]).toEqual(['CONFIG_INVALID', 2]);
  return error.message.replaceAll(`${folder}/`, '');
}

const source = 'sources:\n- name: galley\n  address: mcp://galley:9901\n';
const listens = 'sink: { listen: 127.0.0.1:1 }\nsources:\n';

describe('one mistake is named with its line and column', () => {
  test.each([
    [
      'an unknown setting',
      'xds:\n  lisen: 127.0.0.1:1\n',
      'i.yaml:2:3: xds.lisen: unknown setting; did you mean "listen"?',
    ],
    ['an unknown section', '# hello\nxsd: {}\n', 'i.yaml:2:1: xsd: unknown setting; did you mean "xds"?'],
    ['a setting that is like none', 'xds: { turbo: true }\n', 'i.yaml:1:8: xds.turbo: unknown setting'],
    [
      'a setting in other letters',
      'guard: { MinRemoved: 2 }\n',
      'i.yaml:1:10: guard.MinRemoved: unknown setting; did you mean "minRemoved"?',
    ],
    [
      'an unknown setting within one of a source',
      `${source}  repairs: { zeroPort: true }\n`,
      'i.yaml:4:14: sources[0].repairs.zeroPort: unknown setting; did you mean "zeroPorts"?',
    ],
    ['an unknown setting with a number for a name', '1: x\n', 'i.yaml:1:1: 1: unknown setting'],
    [
      'an unknown setting of a source',
      `${source}  profil: x\n`,
      'i.yaml:4:3: sources[0].profil: unknown setting; did you mean "profile"?',
    ],
    ['a section that is a text', 'xds: here\n', 'i.yaml:1:6: xds: '],
    ['a section that is empty', 'log:\n', 'i.yaml:1:5: log: '],
    ['a list that is a mapping', 'sources: { galley: 1 }\n', 'i.yaml:1:10: sources: '],
    ['a yes that is a text', `${source}  incremental: "yes"\n`, 'i.yaml:4:16: sources[0].incremental: '],
    [
      'a duration without a unit',
      'xds: { minGap: 250 }\n',
      'i.yaml:1:16: xds.minGap: a duration is expected; write for example 250ms, 30s or 10m',
    ],
    [
      'a duration in words',
      'shutdownGrace: 5 minutes\n',
      'i.yaml:1:16: shutdownGrace: "5 minutes" is no duration; write for example 250ms, 30s or 10m',
    ],
    ['a duration beyond any timer', 'xds: { recycle: 600h }\n', 'i.yaml:1:17: xds.recycle: "600h" is no duration'],
    [
      'a size of another sort',
      `${source}  maxMessage: 256MB\n`,
      'i.yaml:4:15: sources[0].maxMessage: "256MB" is no size below 2GiB; write for example 256MiB',
    ],
    ['a size of nothing', `${source}  maxMessage: 0\n`, 'i.yaml:4:15: sources[0].maxMessage: "0" is no size'],
    [
      'a size beyond the limit',
      `${source}  maxMessage: 3GiB\n`,
      'i.yaml:4:15: sources[0].maxMessage: "3GiB" is no size',
    ],
    [
      'a size that is no number',
      `${source}  maxMessage: true\n`,
      'i.yaml:4:15: sources[0].maxMessage: a size is expected; write for example 256MiB',
    ],
    [
      'an address without a port',
      'admin: { listen: localhost }\n',
      'i.yaml:1:18: admin.listen: "localhost" is no HOST:PORT; write for example 127.0.0.1:15410',
    ],
    ['a policy that there is not', 'conflicts: { sameKey: merge }\n', 'i.yaml:1:23: conflicts.sameKey: '],
    [
      'a port alone',
      'admin: { listen: 15480 }\n',
      'i.yaml:1:18: admin.listen: an address is expected; write for example 127.0.0.1:15410',
    ],
    [
      'a source address of another protocol',
      'sources:\n- name: galley\n  address: http://galley:9901\n',
      'i.yaml:3:12: sources[0].address: "http://galley:9901" is no source address; write for example mcp://',
    ],
    [
      'a source address with a password, which is not said again',
      'sources:\n- name: galley\n  address: mcp://me:hush@galley:9901\n',
      'i.yaml:3:12: sources[0].address: "mcp://[removed]@galley:9901" is no source address; write for example mcp://',
    ],
    [
      'the same of a listener',
      'admin: { listen: "me:hush@localhost:1" }\n',
      'i.yaml:1:18: admin.listen: "[removed]@localhost:1" is no HOST:PORT',
    ],
    [
      'a collection that nobody knows',
      `${source}  collections:\n  - istio/networking/v1alpha3/serviceentries\n  - istio/policy/v1beta1/rules\n`,
      'i.yaml:6:5: sources[0].collections[1]: "istio/policy/v1beta1/rules" has no place in istiod 1.9 and newer (what replaces it: Telemetry',
    ],
    ['no collections at all', `${source}  collections: []\n`, 'i.yaml:4:16: sources[0].collections: '],
    [
      'a name with a blank',
      'sources:\n- name: my galley\n  address: mcp://galley:9901\n',
      'i.yaml:2:9: sources[0].name: "my galley" is no name',
    ],
    ['a source without an address', 'sources:\n- name: galley\n', 'i.yaml:2:3: sources[0].address: '],
    [
      'a source that is to dial in where nobody listens',
      'sources:\n- name: galley\n  match: { address: 10.0.0.7 }\n',
      'i.yaml:3:10: sources[0].match: "galley" is to dial in, and nobody listens; set sink.listen, for example to 127.0.0.1:15411',
    ],
    [
      'a source that both dials in and is dialled',
      `${listens}- name: galley\n  address: mcp://galley:9901\n  match: { address: 10.0.0.7 }\n`,
      'i.yaml:5:10: sources[0].match: "galley" has an address too: either Isthmus dials it, or it dials Isthmus',
    ],
    [
      'a source that dials in by a protocol in which nobody does',
      'sink: { listen: "a:1" }\nsources:\n- name: galley\n  match: { address: 10.0.0.7 }\n  protocol: aggregated-1.1\n',
      'i.yaml:4:10: sources[0].match: "galley" is to dial in, and nobody does so in the protocol aggregated-1.1',
    ],
    [
      'a match that is everybody’s',
      `${listens}- name: galley\n  match: { meta: {} }\n`,
      'i.yaml:4:10: sources[0].match: it would be every source that dials in; say at least one of identity, meta and address',
    ],
    [
      'a match that another source has',
      `${listens}- name: a\n  match: { meta: { x: "1", Y: "2" } }\n- name: b\n  match: { meta: { y: "2", x: "1" } }\n`,
      'i.yaml:6:10: sources[1].match: it is that of "a", which comes first: it would never be its turn',
    ],
    [
      'a network that is none',
      `${listens}- name: galley\n  match: { address: 10/8 }\n`,
      'i.yaml:4:21: sources[0].match.address: "10/8" is no IP address and no network; write for example 10.0.0.7 or',
    ],
    [
      'a header of gRPC’s own',
      `${listens}- name: galley\n  match: { meta: { grpc-timeout: "1" } }\n`,
      'i.yaml:4:34: sources[0].match.meta.grpc-timeout: "grpc-timeout" can\'t be matched: it is gRPC\'s own, or no text',
    ],
    [
      'a header that is none',
      `${listens}- name: galley\n  match: { meta: { "a b": "1" } }\n`,
      'i.yaml:4:27: sources[0].match.meta.a b: "a b" is no name of a header',
    ],
    [
      'a name that is used twice',
      `${source}- name: galley\n  address: mcp://other:9901\n`,
      'i.yaml:4:9: sources[1].name: "galley" is used twice',
    ],
    [
      'one name for two collections',
      `${source}  askAs: { istio/networking/v1alpha3/gateways: x, istio/networking/v1alpha3/sidecars: x }\n`,
      'i.yaml:4:87: sources[0].askAs.istio/networking/v1alpha3/sidecars: "x" is also asked for istio/networking/v1alpha3/gateways',
    ],
    [
      'the name of a collection for another one that is asked for, too',
      `${source}  collections: [istio/networking/v1alpha3/gateways, istio/networking/v1alpha3/sidecars]\n  askAs: { istio/networking/v1alpha3/sidecars: istio/networking/v1alpha3/gateways }\n`,
      'i.yaml:5:48: sources[0].askAs.istio/networking/v1alpha3/sidecars: "istio/networking/v1alpha3/gateways" is also asked for istio/networking/v1alpha3/gateways',
    ],
    [
      'a debounce that ends before it begins',
      'debounce:\n  after: 2s\n',
      'i.yaml:2:10: debounce.after: is longer than debounce.max',
    ],
    [
      'a version that YAML reads as a number',
      'istiod: { version: 1.24 }\n',
      'i.yaml:1:20: istiod.version: write it in quotes, for example "1.24"',
    ],
    [
      'a revision that is none',
      'istiod: { revision: A_b }\n',
      'i.yaml:1:21: istiod.revision: a revision as istiod has it',
    ],
    ['a version of something else', 'istiod: { version: "2" }\n', 'i.yaml:1:20: istiod.version: write it in quotes'],
    ['a log level of its own', 'log: { level: trace }\n', 'i.yaml:1:15: log.level: '],
    [
      'a time-out without a unit',
      `${source}  syncTimeout: 30\n`,
      'i.yaml:4:16: sources[0].syncTimeout: a duration is expected; write for example 250ms, 30s or 10m',
    ],
    [
      'a removal of something that is no source',
      'confirmRemoval: ["mcp://galley:9901"]\n',
      'i.yaml:1:18: confirmRemoval[0]: "mcp://galley:9901" is no source; write the NAME of a source that is gone, or NAME/',
    ],
    [
      'a removal of a collection that nobody knows',
      'confirmRemoval: [galley/gateways]\n',
      'i.yaml:1:18: confirmRemoval[0]: "gateways" is no collection; known collections: istio/networking/v1alpha3/',
    ],
    [
      'a removal of a source that is there',
      `${source}confirmRemoval:\n- old\n- galley\n`,
      'i.yaml:6:3: confirmRemoval[1]: source "galley" is in sources: what is to go has to be taken out there first',
    ],
    [
      'a removal of a collection that a source is asked for',
      `${source}confirmRemoval: [galley/istio/networking/v1alpha3/gateways]\n`,
      'i.yaml:4:18: confirmRemoval[0]: source "galley" is asked for istio/networking/v1alpha3/gateways: what is to go has',
    ],
    [
      'a removal of a collection of a source in which something else is wrong',
      `${source}  keepalive: 1ms\nconfirmRemoval: [galley/istio/networking/v1alpha3/gateways]\n`,
      'i.yaml: 2 mistakes\n  i.yaml:4:14: sources[0].keepalive: is shorter than 1s',
    ],
    ['a text', 'serve\n', 'i.yaml:1:1: a mapping of settings is expected'],
    ['a list', '- name: galley\n', 'i.yaml:1:1: a mapping of settings is expected'],
  ])('%s', (_what, text, message) => {
    expect(refusal(text).slice(0, message.length)).toBe(message);
  });
});

describe('YAML that is none', () => {
  test.each([
    ['a mapping that does not end', 'xds: { listen: "a:1"\n', /^i\.yaml:2:1: /],
    ['a setting that is set twice', 'log: {}\nlog: {}\n', /^i\.yaml:2:1: .*unique/],
    ['two documents', 'log: {}\n---\nlog: {}\n', /^i\.yaml:2:1: /],
    ['an alias of nothing', 'xds:\n  listen: *here\n', /^i\.yaml:2:11: .*here/],
    ['a text that does not end', 'stateDir: "/var\n', /^i\.yaml:\d+:\d+: /],
  ])('%s', (_what, text, pattern) => {
    expect(refusal(text)).toMatch(pattern);
  });

  test('aliases that multiply cost nothing but the start', () => {
    const lines = ['a0: &a0 [x, x, x, x, x, x, x, x, x]'];
    for (let i = 1; i < 12; i++)
      lines.push(
        `a${i}: &a${i} [${Array(9)
          .fill(`*a${i - 1}`)
          .join(', ')}]`,
      );
    expect(refusal(`${lines.join('\n')}\n`)).toMatch(/^i\.yaml:1:1: .*alias/i);
  });
});

test('several mistakes are named together, in the order of the settings', () => {
  const text = 'sources:\n- name: UP\n  address: galley\nxds:\n  listen: here\n  minGap: soon\nlogs: {}\n';
  expect(
    refusal(text)
      .split('\n')
      .map((line) => line.replace(/(: [^:]+: ).*/, '$1…')),
  ).toEqual([
    'i.yaml: 5 mistakes',
    '  i.yaml:2:9: sources[0].name: …',
    '  i.yaml:3:12: sources[0].address: …',
    '  i.yaml:5:11: xds.listen: …',
    '  i.yaml:6:11: xds.minGap: …',
    '  i.yaml:7:1: logs: …',
  ]);
});

describe('a file that cannot be read', () => {
  test('because there is none', () => {
    const file = join(tempFolder(), 'isthmus.yaml');
    const error = thrownBy(() => loadConfig(file));
    expect([error.exitCode, error.message]).toEqual([2, `${file}: there is no such file`]);
  });

  test('because it is a folder', () => {
    const folder = tempFolder();
    const error = thrownBy(() => loadConfig(folder));
    expect([error.exitCode, error.message]).toEqual([2, `${folder}: is a folder; a file is expected`]);
  });
});
