import { describe, expect, test } from 'vitest';
import { profileOf, revisionRuleOf } from '../../../src/xds/istiod-profile.ts';
import { nodeIds } from '../../support/fake-istiod.ts';

describe('the profile of an istiod', () => {
  test.each([
    [nodeIds.upTo111, undefined, 'up-to-1.11'],
    [nodeIds.from112, undefined, '1.12-and-newer'],
    ['sidecar~10.0.0.1~test-1.defaults~defaults.svc.cluster.local', undefined, '1.12-and-newer'],
    ['sidecar~10.0.0.1~my-test-1.default~default.svc.cluster.local', undefined, '1.12-and-newer'],
    ['', undefined, '1.12-and-newer'],
    [nodeIds.from112, '1.9', 'up-to-1.11'],
    [nodeIds.from112, '1.9.9', 'up-to-1.11'],
    [nodeIds.from112, '1.10', 'up-to-1.11'],
    [nodeIds.from112, '1.11.8', 'up-to-1.11'],
    [nodeIds.upTo111, '1.12', '1.12-and-newer'],
    [nodeIds.upTo111, '1.24.0', '1.12-and-newer'],
    [nodeIds.upTo111, '1.30', '1.12-and-newer'],
  ])('of node %j, version %j, is %s', (nodeId, version, name) => {
    expect(profileOf(nodeId, version).name).toBe(name);
  });

  test('up to 1.11 has no versions, a limit of 4 MiB, and streams that must not be ended', () => {
    expect(profileOf(nodeIds.upTo111)).toMatchObject({
      versioned: false,
      maxResponseBytes: 4 * 1024 * 1024,
      mayEndStream: false,
    });
  });

  test('from 1.12 on has versions, a limit of 2 GiB, and streams that may be ended', () => {
    expect(profileOf(nodeIds.from112)).toMatchObject({
      versioned: true,
      maxResponseBytes: 2_147_483_647,
      mayEndStream: true,
    });
  });

  test.each([
    [9, 'ignored'],
    [12, 'ignored'],
    [13, 'exact'],
    [18, 'exact'],
    [19, 'unset takes all'],
    [30, 'unset takes all'],
  ])('1.%i: the label istio.io/rev is %s', (minor, rule) => {
    expect(revisionRuleOf(minor)).toBe(rule);
  });
});
