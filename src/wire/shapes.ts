import type { Shape } from './canonical.ts';

const map = { map: true, shape: undefined } as const;
const numberMap = { ...map, numberKeys: true } as const;
const message = (shape: Shape) => ({ map: false, shape });

/** google.protobuf.Struct: a map whose values hold structs and lists again. */
const value: { [field: number]: { map: boolean; shape: Shape | undefined } } = {};
const struct: Shape = { 1: { map: true, shape: value } };
value[5] = message(struct);
value[6] = message({ 1: message(value) });

const workloadEntry: Shape = { 2: map, 3: map };
const workloadSelector: Shape = { 1: map };
const headers: Shape = { 1: message({ 1: map, 2: map }), 2: message({ 1: map, 2: map }) };
const localityDistribute: Shape = { 3: message({ 1: message({ 2: map }) }) };
const trafficPolicy: Shape = {
  1: message(localityDistribute),
  5: message({ 2: message(localityDistribute) }),
};

/**
 * Which fields of each body are, or lead to, maps. Field numbers: istio.io/api at 1.30.3; none of them was ever
 * renumbered. The dropped ones are reserved since: istiod passes over them, but a source of their time still writes
 * them in random order.
 */
export const shapes: Readonly<Record<string, Shape>> = {
  'istio.networking.v1alpha3.ServiceEntry': { 6: message(workloadEntry), 9: message(workloadSelector) },
  'istio.networking.v1alpha3.WorkloadEntry': workloadEntry,
  'istio.networking.v1alpha3.WorkloadGroup': { 1: message({ 1: map, 2: map }), 2: message(workloadEntry) },
  'istio.networking.v1alpha3.VirtualService': {
    3: message({
      1: message({ 5: map, 7: map, 9: map, 12: map }),
      // Up to 1.4: append_response_headers, append_request_headers.
      2: message({ 4: map, 6: map, 7: message(headers) }),
      // Up to 1.4: append_headers, append_response_headers, append_request_headers.
      11: map,
      13: map,
      15: map,
      16: message(headers),
    }),
    4: message({ 1: message({ 4: map }) }),
    5: message({ 1: message({ 5: map }) }),
  },
  'istio.networking.v1alpha3.DestinationRule': {
    2: message(trafficPolicy),
    3: message({ 2: map, 3: message(trafficPolicy) }),
    5: message(workloadSelector),
  },
  'istio.networking.v1alpha3.Gateway': { 2: map },
  'istio.networking.v1alpha3.Sidecar': { 1: message(workloadSelector) },
  'istio.networking.v1alpha3.EnvoyFilter': {
    // Up to 1.5: workload_labels, filters.
    1: map,
    2: message({ 5: message(struct) }),
    3: message(workloadSelector),
    4: message({ 2: message({ 2: message({ 2: map }) }), 3: message({ 2: message(struct) }) }),
  },
  'istio.security.v1beta1.AuthorizationPolicy': { 1: message(workloadSelector) },
  'istio.security.v1beta1.PeerAuthentication': { 1: message(workloadSelector), 3: numberMap },
  'istio.security.v1beta1.RequestAuthentication': { 1: message(workloadSelector) },
  'istio.telemetry.v1alpha1.Telemetry': {
    1: message(workloadSelector),
    2: message({ 5: map }),
    3: message({ 2: message({ 3: map }) }),
  },
  'istio.extensions.v1alpha1.WasmPlugin': { 1: message(workloadSelector), 7: message(struct) },
  'istio.extensions.v1alpha1.TrafficExtension': { 1: message(workloadSelector), 6: message({ 6: message(struct) }) },
  'istio.networking.v1beta1.ProxyConfig': { 1: message(workloadSelector), 3: map },
};
