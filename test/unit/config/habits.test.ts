import { describe, expect, test } from 'vitest';
import { profileOf } from '../../../src/config/habits.ts';
import { type ConfigInput, configSchema, type SourceConfig } from '../../../src/config/schema.ts';
import { defaultSourceProfile, profileNames, sourceProfiles } from '../../../src/legacy/source-profile.ts';
import { knownCollections } from '../../../src/model/kinds.ts';

type Given = Omit<NonNullable<ConfigInput['sources']>[number], 'name' | 'address'>;

function source(given: Given): SourceConfig {
  const { sources } = configSchema.parse({ sources: [{ name: 'a', address: 'mcp://127.0.0.1:9901', ...given }] });
  return sources[0] as SourceConfig;
}

describe('the habits of a source', () => {
  test.each(profileNames)('are those of its profile: %s', (profile) => {
    const habits = sourceProfiles[profile];
    const collections = habits.collections ?? knownCollections;
    expect(profileOf(source({ profile }))).toEqual({ ...habits, collections });
  });

  test.each([{}, { profile: 'auto' as const }])('are those of default where none is chosen: %j', (given) => {
    expect(profileOf(source(given))).toEqual({ ...defaultSourceProfile, collections: knownCollections });
  });

  test('can each be set beside a profile', () => {
    const given = {
      protocol: 'aggregated-1.0',
      collections: ['istio/networking/v1alpha3/gateways'],
      askAs: { 'istio/networking/v1alpha3/gateways': 'x' },
      state: 'full',
      empty: 'believed',
      slashes: 'escape',
      defaultNamespace: 'b',
      incremental: false,
      sinkNodeId: 'c',
      silentCollection: '1s',
      keepalive: '2s',
      oneConnection: false,
    } as const;
    const { silentCollection: _s, keepalive: _k, ...rest } = given;
    const wanted = { ...rest, silentCollectionMs: 1000, pingMs: 2000 };
    const habits = profileOf(source({ profile: 'nacos-istio', ...given, collections: [...given.collections] }));
    expect(habits).toEqual(wanted);
    // All that a profile has.
    expect(Object.keys(habits).toSorted()).toEqual(Object.keys(defaultSourceProfile).toSorted());
  });
});

test.each<[string, Given, string]>([
  ['a profile that nobody knows', { profile: 'consul' as 'default' }, 'sources.0.profile'],
  ['pings that come too often', { keepalive: '100ms' }, 'sources.0.keepalive'],
  ['a suffix with its dot', { repairs: { missingDot: '.nacos' } }, 'sources.0.repairs.missingDot'],
  ['a repair that nobody knows', { repairs: { everything: true } as object }, 'sources.0.repairs'],
  ['another name for no collection', { askAs: { pods: 'x' } }, 'sources.0.askAs.pods'],
])('%s is a mistake', (_what, given, at) => {
  const { error } = configSchema.safeParse({ sources: [{ name: 'a', address: 'mcp://h:1', ...given }] });
  expect(error?.issues.map(({ path }) => path.join('.'))).toEqual([at]);
});
