import { describe, expect, test } from 'vitest';
import { type Caller, findMatch, type SourceMatch } from '../../../src/legacy/source-match.ts';

type Seen = { identities?: readonly string[]; headers?: Readonly<Record<string, readonly string[]>>; host?: string };

function caller({ identities = [], headers = {}, host = '10.0.0.7' }: Seen): Caller {
  return { identities, meta: (name) => headers[name] ?? [], metaNames: Object.keys(headers), host, port: 4242 };
}

/** The name of the entry that is found. */
function found(matches: Readonly<Record<string, SourceMatch>>, seen: Seen): string | undefined {
  const entries = Object.entries(matches).map(([name, match]) => ({ name, match }));
  return findMatch(entries, caller(seen))?.name;
}

const identity = 'spiffe://cluster.local/ns/istio-system/sa/galley';

describe('one entry', () => {
  test.each<[string, SourceMatch, Seen, boolean]>([
    ['its identity', { identity }, { identities: ['galley', identity] }, true],
    ['another identity', { identity }, { identities: [`${identity}-2`] }, false],
    ['no identity', { identity }, {}, false],
    ['its header', { meta: { cluster: 'east' } }, { headers: { cluster: ['east'] } }, true],
    ['a header with another value', { meta: { cluster: 'east' } }, { headers: { cluster: ['east-2'] } }, false],
    ['one of two values', { meta: { cluster: 'east' } }, { headers: { cluster: ['west', 'east'] } }, true],
    [
      'one of two values that HTTP/2 has joined',
      { meta: { cluster: 'east' } },
      { headers: { cluster: ['west, east'] } },
      true,
    ],
    ['a value with a comma', { meta: { cluster: 'a, b' } }, { headers: { cluster: ['a, b'] } }, true],
    ['one of two headers', { meta: { cluster: 'east', zone: '1' } }, { headers: { cluster: ['east'] } }, false],
    ['both headers', { meta: { cluster: 'east', zone: '1' } }, { headers: { cluster: ['east'], zone: ['1'] } }, true],
    ['its address', { address: '10.0.0.7' }, {}, true],
    ['its network', { address: '10.0.0.0/29' }, {}, true],
    ['another network', { address: '10.0.0.8/29' }, {}, false],
    [
      'its address as a socket for both versions of IP has it',
      { address: '10.0.0.7' },
      { host: '::ffff:10.0.0.7' },
      true,
    ],
    ['its network of IPv6', { address: 'fd00::/8' }, { host: 'fd12::1' }, true],
    [
      'header and address',
      { meta: { cluster: 'east' }, address: '10.0.0.7' },
      { headers: { cluster: ['east'] } },
      true,
    ],
    [
      'a header from elsewhere',
      { meta: { cluster: 'east' }, address: '10.0.0.8' },
      { headers: { cluster: ['east'] } },
      false,
    ],
  ])('%s', (_what, match, seen, holds) => {
    expect(found({ only: match }, seen)).toBe(holds ? 'only' : undefined);
  });
});

describe('several entries', () => {
  const matches = {
    network: { address: '10.0.0.0/8' },
    host: { address: '10.0.0.7' },
    east: { meta: { cluster: 'east' } },
    'east-1': { meta: { cluster: 'east', zone: '1' } },
    galley: { identity },
  };

  test('the first that holds is taken, of identities, then of headers, then of addresses', () => {
    const headers = { cluster: ['east'], zone: ['1'] };
    expect(found(matches, {})).toBe('network');
    expect(found(matches, { headers })).toBe('east');
    expect(found(matches, { headers, identities: [identity] })).toBe('galley');
    expect(found(matches, { host: '192.0.2.1' })).toBeUndefined();
  });

  test('their order is theirs', () => {
    const { network, host, ...rest } = matches;
    expect(found({ host, network, ...rest }, {})).toBe('host');
  });
});
