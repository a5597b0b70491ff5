import { expect, test } from 'vitest';
import { kinds } from '../../../src/model/kinds.ts';
import { bodies, root } from '../../../src/wire/root.ts';

test('both wire contracts are loaded from proto/, and the bodies apart from them', () => {
  for (const name of [
    'istio.mcp.v1alpha1.Resources',
    'istio.mcp.v1alpha1.RequestResources',
    'envoy.service.discovery.v3.DiscoveryResponse',
  ]) {
    expect(root().lookupType(name).fullName).toBe(`.${name}`);
  }
  for (const { body } of kinds) {
    expect(bodies().lookupType(body).fullName).toBe(`.${body}`);
    expect(root().lookup(body)).toBeNull();
  }
});

test('create_time carries negative seconds, which is what a Go server sends for its zero time', () => {
  const type = root().lookupType('istio.mcp.v1alpha1.Metadata');
  const bytes = type.encode({ name: 'a/b', createTime: { seconds: -62135596800, nanos: 0 } }).finish();
  expect(type.toObject(type.decode(bytes), { longs: Number })).toEqual({
    name: 'a/b',
    createTime: { seconds: -62135596800, nanos: 0 },
  });
});
