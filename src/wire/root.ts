import { existsSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { packageRoot } from '../model/package.ts';
import { MalformedError } from './scan.ts';

/** The .proto files of the two contracts, relative to their include folders. */
export const contractFiles = ['mcp/v1alpha1/mcp.proto', 'envoy/service/discovery/v3/discovery.proto'];

/** The .proto files of the bodies that people can read. */
const bodyFiles = [
  'istio/networking/v1alpha3/service_entry.proto',
  'istio/networking/v1alpha3/workload_entry.proto',
  'istio/networking/v1alpha3/workload_group.proto',
  'istio/networking/v1alpha3/virtual_service.proto',
  'istio/networking/v1alpha3/destination_rule.proto',
  'istio/networking/v1alpha3/gateway.proto',
  'istio/networking/v1alpha3/sidecar.proto',
  'istio/networking/v1alpha3/envoy_filter.proto',
  'istio/security/v1beta1/authorization_policy.proto',
  'istio/security/v1beta1/peer_authentication.proto',
  'istio/security/v1beta1/request_authentication.proto',
  'istio/telemetry/v1alpha1/telemetry.proto',
  'istio/extensions/v1alpha1/wasm.proto',
  'istio/extensions/v1alpha1/traffic_extension.proto',
  'istio/networking/v1beta1/proxy_config.proto',
];

/** Include folders for the files, in the order in which they are searched. */
export function includeDirs(): string[] {
  return [join(packageRoot(), 'proto/legacy'), join(packageRoot(), 'proto/xds')];
}

function load(files: string[]): protobuf.Root {
  const types = new protobuf.Root();
  const dirs = includeDirs();
  types.resolvePath = (_origin, target) => {
    if (protobuf.common.get(target)) return target;
    const found = dirs.map((dir) => join(dir, target)).find((path) => existsSync(path));
    return found ?? target;
  };
  types.loadSync(files).resolveAll();
  return types;
}

let contracts: protobuf.Root | undefined;
let bodyTypes: protobuf.Root | undefined;

/** The message types of both contracts by full name. Parsed once, at the first call. */
export function root(): protobuf.Root {
  contracts ??= load(contractFiles);
  return contracts;
}

/**
 * The message types of the bodies by full name. Parsed once, at the first call: a bridge carries bodies as bytes, and
 * needs them only when somebody looks at one.
 */
export function bodies(): protobuf.Root {
  bodyTypes ??= load(bodyFiles);
  return bodyTypes;
}

/**
 * Decodes with the plain Reader: the one that protobufjs takes for Buffers clips a text that runs past the end of its
 * message instead of refusing it (7.6.6 reader_buffer.js).
 * @throws MalformedError where the bytes are no such message.
 */
export function decodeMessage(type: protobuf.Type, bytes: Uint8Array): protobuf.Message {
  try {
    return type.decode(new protobuf.Reader(bytes));
  } catch (error) {
    throw new MalformedError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}
