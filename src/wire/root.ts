import { existsSync } from 'node:fs';
import { join } from 'node:path';
import protobuf from 'protobufjs';
import { packageRoot } from '../model/package.ts';
import { MalformedError } from './scan.ts';

/** Every .proto file of the two contracts and of the bodies we can read, relative to its include folder. */
export const protoFiles = [
  'mcp/v1alpha1/mcp.proto',
  'envoy/service/discovery/v3/discovery.proto',
  'istio/networking/v1alpha3/service_entry.proto',
];

/** Include folders for {@link protoFiles}, in the order in which they are searched. */
export function includeDirs(): string[] {
  return [join(packageRoot(), 'proto/legacy'), join(packageRoot(), 'proto/xds')];
}

function load(): protobuf.Root {
  const types = new protobuf.Root();
  const dirs = includeDirs();
  types.resolvePath = (_origin, target) => {
    if (protobuf.common.get(target)) return target;
    const found = dirs.map((dir) => join(dir, target)).find((path) => existsSync(path));
    return found ?? target;
  };
  types.loadSync(protoFiles).resolveAll();
  return types;
}

let cached: protobuf.Root | undefined;

/** All message types by full name. Parsed once, at the first call. */
export function root(): protobuf.Root {
  cached ??= load();
  return cached;
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
