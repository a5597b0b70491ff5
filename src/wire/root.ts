import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import protobuf from 'protobufjs';

/** The folder that holds package.json and proto/, from the sources and from dist/ alike. */
export function packageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

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
