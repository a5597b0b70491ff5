import { expect, test } from 'vitest';
import { Rope } from '../../../src/wire/frame.ts';
import { aggregatedDiscovery, resourceSource } from '../../../src/wire/services.ts';

test('the methods have the paths that real peers call', () => {
  expect(resourceSource().path).toBe('/istio.mcp.v1alpha1.ResourceSource/EstablishResourceStream');
  expect(aggregatedDiscovery().path).toBe(
    '/envoy.service.discovery.v3.AggregatedDiscoveryService/StreamAggregatedResources',
  );
});

test.each([resourceSource(), aggregatedDiscovery()])('$path passes messages through as they are', (method) => {
  const rope = Rope.of(Buffer.from('a'));
  const bytes = Buffer.from('b');
  expect(method.requestSerialize(rope)).toBe(rope);
  expect(method.responseSerialize(rope)).toBe(rope);
  expect(method.requestDeserialize(bytes)).toBe(bytes);
  expect(method.responseDeserialize(bytes)).toBe(bytes);
  expect([method.requestStream, method.responseStream]).toEqual([true, true]);
});
