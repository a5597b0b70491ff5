import { describe, expect, test } from 'vitest';
import { whyNoWrite } from '../../../src/admin/write-access.ts';

const ask = (remoteAddress: string | undefined, headers: Readonly<Record<string, string>>) =>
  whyNoWrite({ socket: { remoteAddress }, headers });

describe('may write', () => {
  test.each<[string, string, Record<string, string>]>([
    ['a command on this host', '127.0.0.1', { host: '127.0.0.1:15480' }],
    ['one over IPv6', '::1', { host: '[::1]:15480' }],
    ['one to a listener of both', '::ffff:127.0.0.1', { host: 'localhost:15480' }],
    [
      "the bridge's own page",
      '127.0.0.1',
      { host: 'localhost:15480', origin: 'http://localhost:15480', 'sec-fetch-site': 'same-origin' },
    ],
    ['a browser by hand', '127.0.0.1', { host: 'localhost:15480', 'sec-fetch-site': 'none' }],
  ])('%s', (_what, peer, headers) => {
    expect(ask(peer, headers)).toBeUndefined();
  });
});

describe('may not', () => {
  test.each<[string, string | undefined, Record<string, string>, RegExp]>([
    ['another host', '10.1.2.3', { host: '127.0.0.1:15480' }, /host of the bridge/],
    ['another host over IPv6', '::ffff:10.1.2.3', { host: '127.0.0.1:15480' }, /host of the bridge/],
    ['what a sidecar lets in', '127.0.0.6', { host: '127.0.0.1:15480' }, /host of the bridge/],
    ['nobody', undefined, { host: '127.0.0.1:15480' }, /host of the bridge/],
    ['a page of another site', '127.0.0.1', { host: '127.0.0.1:15480', origin: 'https://evil.example' }, /other sites/],
    ['one on another port', '127.0.0.1', { host: '127.0.0.1:15480', origin: 'http://127.0.0.1:3000' }, /other sites/],
    ['one without an origin', '127.0.0.1', { host: '127.0.0.1:15480', origin: 'null' }, /other sites/],
    [
      'one whose origin is kept back',
      '127.0.0.1',
      { host: '127.0.0.1:15480', 'sec-fetch-site': 'cross-site' },
      /other sites/,
    ],
    [
      'a name that leads here',
      '127.0.0.1',
      { host: 'evil.example:15480', origin: 'http://evil.example:15480' },
      /Host/,
    ],
    ['a request without a Host', '127.0.0.1', {}, /Host/],
    ['a Host that is none', '127.0.0.1', { host: 'a b' }, /Host/],
  ])('%s', (_what, peer, headers, why) => {
    expect(ask(peer, headers)).toMatch(why);
  });
});
