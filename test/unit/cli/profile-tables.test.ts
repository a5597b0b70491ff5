import { expect, test } from 'vitest';
import type { HoldingView, OriginView, ProfileView } from '../../../src/admin/views.ts';
import { profileProblems } from '../../../src/admin/findings/profile-problems.ts';
import { profileTables } from '../../../src/cli/profile-tables.ts';

const nothing: ProfileView = { configured: 'auto', looksLike: null, because: [], notInForce: [] };

function origin(name: string, profile: ProfileView | null, repairs: Readonly<Record<string, number>> = {}): OriginView {
  const holding: HoldingView = {
    kind: 'ServiceEntry',
    collection: 'istio/networking/v1alpha3/serviceentries',
    sync: 'synced',
    retiredSince: null,
    received: 1,
    released: 1,
    effective: 1,
    quarantined: 0,
    invalid: 0,
    withheld: 0,
    hold: null,
    messages: 1,
    lastMessageAt: null,
    lastChangeAt: null,
    repairs,
    messageBytes: null,
  };
  const connection = {
    state: 'connected',
    since: '',
    streams: 1,
    lastError: null,
    retryInMs: null,
    peer: null,
    version: null,
  };
  return {
    name,
    address: null,
    maxMessage: null,
    connection: { ...connection, unsupportedCollections: {} },
    profile,
    kinds: [holding],
    dropped: [],
  };
}

test('nothing is shown of sources of which nobody can tell anything, and where no body is repaired', () => {
  expect(profileTables([origin('a', nothing), origin('b', null, { bare_name: 3, duplicate: 1 })])).toEqual([]);
  expect(profileProblems([origin('a', nothing), origin('b', null)])).toEqual([]);
});

test('which server a source is taken for, why, and what of that is not in force', () => {
  const seen = { ...nothing, looksLike: 'hango', because: ['its nonces', 'its names'], notInForce: ['slashes'] };
  const [known, ...rest] = profileTables([origin('a', seen), origin('b', { ...nothing, configured: 'galley' })]);
  expect(rest).toEqual([]);
  expect(known?.split('\n').map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
    ['SOURCE', 'PROFILE', 'LOOKS LIKE', 'BECAUSE', 'NOT IN FORCE'],
    ['a', 'auto', 'hango', 'its nonces; its names', 'slashes'],
    ['b', 'galley', '-', '-', '-'],
  ]);
  expect(profileProblems([origin('a', seen)])).toEqual([]);
});

test('one that loses services is a problem', () => {
  const seen = { ...nothing, looksLike: 'istio-consul', notInForce: ['state'] };
  expect(profileProblems([origin('a', seen)])).toEqual([
    'source a looks like istio-consul, which sends only what has changed: set its profile, or services are lost',
  ]);
});

test('what is repaired', () => {
  const [repaired] = profileTables([origin('a', nothing, { bare_name: 7, zero_ports: 2, missing_dot: 1 })]);
  expect(repaired?.split('\n').map((line) => line.trimEnd().split(/ {2,}/))).toEqual([
    ['SOURCE', 'KIND', 'REPAIR', 'RESOURCES'],
    ['a', 'ServiceEntry', 'zero_ports', '2'],
    ['a', 'ServiceEntry', 'missing_dot', '1'],
  ]);
});
