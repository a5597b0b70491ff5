import { describe, expect, test } from 'vitest';
import { describeMinors, minorsOf } from '../../../src/xds/istiod-version.ts';
import { nodeIds } from '../../support/fake-istiod.ts';
import { allProfiles, profiles } from '../../support/istiod/profile.ts';

const shown: Readonly<Record<string, string>> = {
  '1.9': '1.9',
  '1.11': '1.10 to 1.11',
  '1.12': '1.12',
  '1.16': '1.13 to 1.17',
  '1.18': '1.18',
  '1.24': '1.24 to 1.29',
  '1.30': '1.30 and newer',
};

describe('what a stream shows of the version of its istiod', () => {
  test.each(allProfiles)('$version', ({ version, nodeId, types, userAgent }) => {
    expect(describeMinors(minorsOf({ nodeId, typeUrls: types, userAgent }))).toBe(shown[version]);
  });

  const { types, nodeId } = profiles['1.18'];
  test.each([
    [undefined, '1.18 to 1.23'],
    ['grpc-node-js/1.14.7', '1.18 to 1.23'],
    ['grpc-go/1.54.0', '1.18'],
    ['grpc-go/1.56.3', '1.18'],
    ['grpc-go/1.57.0', '1.19 to 1.23'],
    ['grpc-go/1.65.0', '1.19 to 1.23'],
    ['grpc-go/2.0.0', '1.18 to 1.23'],
  ])('the same types, of library %s', (userAgent, expected) => {
    expect(describeMinors(minorsOf({ nodeId, typeUrls: types, userAgent }))).toBe(expected);
  });

  test.each([
    [[], '1.12 and newer'],
    [['networking.istio.io/v1alpha3/ServiceEntry'], '1.12 and newer'],
    [['networking.istio.io/v1/ServiceEntry'], '1.24 and newer'],
    [['networking.istio.io/v1beta1/ProxyConfig'], '1.13 and newer'],
    [['x.example/v1/Thing', 'networking.istio.io/v1alpha3/ServiceEntry'], '1.12 and newer'],
  ])('%j alone says nothing of what it does not ask for', (typeUrls, expected) => {
    expect(describeMinors(minorsOf({ nodeId, typeUrls, userAgent: undefined }))).toBe(expected);
  });

  test('up to 1.11 by its name', () => {
    const old = { nodeId: nodeIds.upTo111, typeUrls: [], userAgent: undefined };
    expect(describeMinors(minorsOf(old))).toBe('1.9 to 1.11');
    expect(describeMinors(minorsOf({ ...old, typeUrls: ['telemetry.istio.io/v1alpha1/Telemetry'] }))).toBe(
      '1.10 to 1.11',
    );
  });

  test('what does not fit together is unknown, as a peer without a name is', () => {
    const v1 = ['networking.istio.io/v1/ServiceEntry'];
    expect(describeMinors(minorsOf({ nodeId: nodeIds.upTo111, typeUrls: v1, userAgent: undefined }))).toBe('unknown');
    expect(describeMinors(minorsOf({ nodeId: '', typeUrls: types, userAgent: 'grpc-go/1.54.0' }))).toBe('unknown');
  });

  test.each(['1.17', '1.17.8'])('is %s where the operator says so', (version) => {
    const seen = { nodeId: nodeIds.upTo111, typeUrls: types, userAgent: 'grpc-go/1.82.0' };
    expect(minorsOf(seen, version)).toEqual({ from: 17, to: 17 });
    expect(minorsOf({ nodeId: '', typeUrls: [], userAgent: undefined }, version)).toEqual({ from: 17, to: 17 });
  });
});
