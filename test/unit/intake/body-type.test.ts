import { expect, test } from 'vitest';
import { acceptedBodies } from '../../../src/intake/body-type.ts';
import { requireKind } from '../../support/resources.ts';

test.each([
  ['ServiceEntry', 'networking.istio.io', ['networking.v1alpha3', 'networking.v1beta1', 'networking.v1']],
  ['AuthorizationPolicy', 'security.istio.io', ['security.v1beta1', 'security.v1']],
  ['Telemetry', 'telemetry.istio.io', ['telemetry.v1alpha1', 'telemetry.v1']],
  ['ProxyConfig', 'networking.istio.io', ['networking.v1beta1']],
  ['WasmPlugin', 'extensions.istio.io', ['extensions.v1alpha1']],
])('the body of a %s of %s may come from the packages %j, and from no other', (name, group, packages) => {
  const bodies = acceptedBodies(requireKind(name, group));
  expect([...bodies]).toEqual(packages.map((text) => `istio.${text}.${name}`));
});
