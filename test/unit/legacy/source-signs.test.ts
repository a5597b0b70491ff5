import { describe, expect, test } from 'vitest';
import { SourceGuess } from '../../../src/legacy/source-guess.ts';
import { defaultSourceProfile, profileNames, sourceProfiles } from '../../../src/legacy/source-profile.ts';
import { guessOf, noSigns, type Signs, withMessage } from '../../../src/legacy/source-signs.ts';
import { readResources } from '../../../src/wire/legacy-messages.ts';
import { encodeMessage, entry } from '../../support/legacy-source.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

const collection = 'istio/networking/v1alpha3/serviceentries';
const goTime = '2020-10-14 08:00:01.000000001 +0000 UTC m=+1.5';

type Said = {
  readonly nonce: string;
  readonly systemVersionInfo?: string;
  readonly names: readonly string[];
  readonly metadata?: object;
  readonly host?: string;
};

function viewOf({ names, metadata = {}, host = 'a', ...head }: Said) {
  return readResources(
    encodeMessage({ collection, ...head, resources: names.map((name) => entry(name, host, metadata)) }),
  );
}

const signsOf = (...all: readonly Said[]): Signs => all.map(viewOf).reduce(withMessage, noSigns);

describe('a source is recognised by what its messages show', () => {
  test.each<[string, Said]>([
    ['consul-mcp', { nonce: goTime, names: ['web.service.consul'], metadata: { version: 'v1' } }],
    ['istio-consul', { nonce: goTime, names: ['service/web'], metadata: { version: '1' } }],
    ['nacos-istio', { nonce: goTime, names: ['nacos/web'] }],
    ['nacos-1', { nonce: '1600000000000', names: ['nacos/web.snDEFAULT_GROUP.gn', 'nacos/api.sn'] }],
    ['nacos-2.0.x', { nonce: '1620000000000', names: ['nacos/web.DEFAULT_GROUP.public'] }],
    ['nacos-2', { nonce: '304b048502bf4db3abb97695681bef7d', names: ['public/web.DEFAULT-GROUP.public'] }],
    ['nacos-2', { nonce: '304b0485-02bf-4db3-abb9-7695681bef7d', names: ['public/web.DEFAULT-GROUP.public'] }],
    [
      'nacos-3',
      {
        nonce: '0f0e0d0c0b0a49088706050403020100',
        names: ['public/web.DEFAULT-GROUP.public'],
        host: 'web.DEFAULT-GROUP.publicnacos',
      },
    ],
    ['hango', { nonce: 'Snapshot:[2023-04-01 08:00:00]', names: ['gateway/orders'] }],
    ['galley', { nonce: '1', systemVersionInfo: `${collection}/4`, names: ['shop/orders'] }],
    ['copilot', { nonce: '3', systemVersionInfo: '12', names: ['orders', 'internal/orders'] }],
    [
      'service-manager',
      { nonce: '2', systemVersionInfo: '4.0', names: ['orders'], metadata: { createTime: { seconds: 1 } } },
    ],
    ['pkg-mcp', { nonce: '1', systemVersionInfo: 'anything', names: ['shop/orders'] }],
  ])('%s', (profile, said) => {
    const guess = guessOf(signsOf(said, said));
    expect(guess?.profile).toBe(profile);
    expect(guess?.because.length).toBeGreaterThan(0);
  });

  test.each<[string, readonly Said[]]>([
    ['nothing has come', []],
    ['nothing is in it', [{ nonce: '1', names: [] }]],
    ['nobody is known who numbers so', [{ nonce: 'abc', names: ['shop/orders'] }]],
    [
      'some nonces are others',
      [
        { nonce: goTime, names: ['nacos/web'] },
        { nonce: '7', names: ['nacos/web'] },
      ],
    ],
    [
      'some versions are others',
      [
        { nonce: goTime, names: ['a/b'], metadata: { version: 'v1' } },
        { nonce: goTime, names: ['a/b'] },
      ],
    ],
  ])('not where %s', (_what, said) => {
    expect(guessOf(signsOf(...said))).toBeUndefined();
  });

  test('what can’t be read is no sign', () => {
    const view = { ...viewOf({ nonce: '1', names: ['shop/orders'] }) };
    const broken = { ...view, spans: Int32Array.of(...view.spans, 0, 3) };
    expect(withMessage(noSigns, broken).names).toEqual(['shop/orders']);
  });
});

describe('what is done about it', () => {
  const consul: Said = { nonce: goTime, names: ['service/web'], metadata: { version: '1' } };

  test('a profile that gives messages another meaning is not taken, and the operator is warned', () => {
    const log = new MemoryLogger();
    const guess = new SourceGuess(log, 'a', defaultSourceProfile);
    expect(guess.guess).toBeUndefined();
    guess.look(viewOf(consul));
    expect(guess.guess?.profile).toBe('istio-consul');
    expect(log.lines).toMatchObject([{ level: 'warn', fields: { source: 'a', looksLike: 'istio-consul' } }]);
    guess.look(viewOf({ nonce: '7', names: ['a/b'] }));
    expect(guess.guess?.profile).toBe('istio-consul');
    expect(log.lines).toHaveLength(1);
  });

  test('when an empty message is believed becomes the more careful of both: that loses nothing', () => {
    const guess = new SourceGuess(new MemoryLogger(), 'a', defaultSourceProfile);
    expect(guess.empty).toBe('believed');
    guess.look(viewOf({ nonce: goTime, names: ['web'], metadata: { version: 'v1' } }));
    expect(guess.empty).toBe('held');
    const set = new SourceGuess(new MemoryLogger(), 'a', { ...defaultSourceProfile, empty: 'heldAtFirst' });
    set.look(viewOf({ nonce: goTime, names: ['web'], metadata: { version: 'v1' } }));
    expect(set.empty).toBe('heldAtFirst');
  });

  test('one whose messages say nothing is let go after twenty of them; empty ones do not count', () => {
    const log = new MemoryLogger();
    const guess = new SourceGuess(log, 'a', defaultSourceProfile);
    for (let i = 0; i < 40; i++) guess.look(viewOf({ nonce: 'x', names: [] }));
    for (let i = 0; i < 19; i++) guess.look(viewOf({ nonce: 'x', names: ['a/b'] }));
    expect(log.lines).toEqual([]);
    guess.look(viewOf({ nonce: 'x', names: ['a/b'] }));
    expect(log.lines).toMatchObject([{ level: 'debug' }]);
    guess.look(viewOf(consul));
    expect(guess.guess).toBeUndefined();
  });

  test('names of resources are in no line', () => {
    const log = new MemoryLogger();
    new SourceGuess(log, 'a', defaultSourceProfile).look(viewOf(consul));
    expect(JSON.stringify(log.lines)).not.toContain('service/web');
  });
});

test('no profile asks for more than is safe with any server: few pings, no incremental messages but where nothing else is sent', () => {
  const eager = profileNames.filter(
    (name) => sourceProfiles[name].incremental && sourceProfiles[name].state === 'full',
  );
  expect(eager).toEqual([]);
  expect(profileNames.filter((name) => sourceProfiles[name].pingMs !== undefined)).toEqual([]);
});
