import { expect, test } from 'vitest';
import { root } from '../../../src/wire/root.ts';

test('both wire contracts and the readable bodies are loaded from proto/', () => {
  for (const name of [
    'istio.mcp.v1alpha1.Resources',
    'istio.mcp.v1alpha1.RequestResources',
    'envoy.service.discovery.v3.DiscoveryResponse',
    'istio.networking.v1alpha3.ServiceEntry',
  ]) {
    expect(root().lookupType(name).fullName).toBe(`.${name}`);
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
