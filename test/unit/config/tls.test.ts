import { describe, expect, test } from 'vitest';
import { type ConfigInput, configSchema, sourceUrl } from '../../../src/config/schema.ts';

/** `path: message` of each mistake. */
function mistakes(config: ConfigInput): string[] {
  const { error } = configSchema.safeParse(config);
  return error?.issues.map(({ path, message }) => `${path.join('.')}: ${message}`) ?? [];
}

type SourceTls = NonNullable<NonNullable<ConfigInput['sources']>[number]['tls']>;
type XdsTls = NonNullable<NonNullable<ConfigInput['xds']>['tls']>;

const ofSource = (tls: SourceTls) => mistakes({ sources: [{ name: 'galley', address: 'mcp://galley:9901', tls }] });
const ofXds = (tls: XdsTls) => mistakes({ xds: { tls } });

const pair = { cert: 'tls.crt', key: 'tls.key' };

describe('a source is spoken to over TLS', () => {
  test.each<[string, SourceTls | undefined, unknown, string]>([
    ['mcp://galley:9901', undefined, undefined, 'mcp://galley:9901'],
    ['mcps://galley:9901', undefined, { insecureSkipVerify: false }, 'mcps://galley:9901'],
    ['MCPS://galley:9901/', undefined, { insecureSkipVerify: false }, 'mcps://galley:9901'],
    ['mcp://galley:9901', {}, { insecureSkipVerify: false }, 'mcps://galley:9901'],
    ['mcps://[::1]:9901', { ca: 'ca.crt' }, { ca: 'ca.crt', insecureSkipVerify: false }, 'mcps://[::1]:9901'],
  ])('%s with %j', (address, tls, expected, url) => {
    const [source] = configSchema.parse({ sources: [{ name: 'galley', address, ...(tls && { tls }) }] }).sources;
    expect(source?.tls).toEqual(expected);
    expect(source?.address && sourceUrl({ address: source.address, tls: source.tls })).toBe(url);
    expect(source?.address).not.toHaveProperty('isSecure');
  });

  test('with a certificate and its key, or neither', () => {
    expect(ofSource({ ...pair, ca: 'ca.crt', serverName: 'a', subjectAltNames: ['spiffe://a/b'] })).toEqual([]);
    expect(ofSource({ cert: 'tls.crt' })).toEqual(['sources.0.tls.cert: needs key, too: they belong together']);
    expect(ofSource({ key: 'tls.key' })).toEqual(['sources.0.tls.key: needs cert, too: they belong together']);
    expect(ofSource({ ca: '' })).toHaveLength(1);
    expect(ofSource({ subjectAltNames: [] })).toHaveLength(1);
  });

  test('unverified only where nothing says how to verify', () => {
    expect(ofSource({ insecureSkipVerify: true })).toEqual([]);
    expect(ofSource({ insecureSkipVerify: true, ca: 'ca.crt', subjectAltNames: ['a'] })).toEqual([
      'sources.0.tls.insecureSkipVerify: makes ca useless: take one of them out',
      'sources.0.tls.insecureSkipVerify: makes subjectAltNames useless: take one of them out',
    ]);
  });
});

describe('xDS is served over TLS', () => {
  test('with a certificate and its key', () => {
    expect(ofXds(pair)).toEqual([]);
    expect(ofXds({ cert: 'tls.crt' } as XdsTls)).toEqual(['xds.tls.key: the name of a PEM file is expected']);
  });

  test('to identities that can be compared, of clients that show them', () => {
    const allowedIdentities = [
      'spiffe://cluster.local/ns/shop/sa/galley',
      'spiffe://cluster.local/*',
      'a.shop',
      '*.shop',
    ];
    expect(ofXds({ ...pair, clientCa: 'ca.crt', allowedIdentities })).toEqual([]);
    expect(ofXds({ ...pair, allowedIdentities })).toEqual([
      'xds.tls.allowedIdentities: needs clientCa, too: nobody shows a certificate that is not asked for',
    ]);
    const bad = ['*', 'galley*', 'spiffe://cluster.local/ns/shop*', 'spiffe://*/ns/shop', '*.*.shop', 'a.*'];
    const found = ofXds({ ...pair, clientCa: 'ca.crt', allowedIdentities: bad });
    expect(found).toHaveLength(bad.length);
    expect(found[1]).toMatch(/^xds\.tls\.allowedIdentities\.1: "galley\*" can't be compared; write spiffe:/);
  });

  test('to addresses and ranges', () => {
    expect(mistakes({ xds: { allowedPeers: ['10.0.0.0/8', '::1'] } })).toEqual([]);
    expect(mistakes({ xds: { allowedPeers: ['10.0.0.0/33', 'istiod'] } })).toEqual([
      'xds.allowedPeers.0: "10.0.0.0/33" is no address and no range; write for example 10.0.0.7 or 10.0.0.0/8',
      'xds.allowedPeers.1: "istiod" is no address and no range; write for example 10.0.0.7 or 10.0.0.0/8',
    ]);
  });
});
