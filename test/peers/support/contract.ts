import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { Client, credentials } from '@grpc/grpc-js';
import protobuf from 'protobufjs';

// Read here a second time, not taken from src/, so that a mistake there cannot hide itself.
const folders = ['legacy', 'xds'].map((name) => join(import.meta.dirname, '../../../proto', name));

function load(): protobuf.Root {
  const root = new protobuf.Root();
  root.resolvePath = (_origin, target) =>
    folders.map((folder) => join(folder, target)).find((path) => existsSync(path)) ?? target;
  return root.loadSync([
    'mcp/v1alpha1/mcp.proto',
    'envoy/service/discovery/v3/discovery.proto',
    'istio/networking/v1alpha3/service_entry.proto',
  ]);
}

const root = load();

/** The type of this full name. @throws where the contracts have none. */
export function messageType(name: string): protobuf.Type {
  return root.lookupType(name);
}

export type Codec = { readonly encode: (message: object) => Buffer; readonly decode: (bytes: Uint8Array) => object };

/** Turns messages of one type into bytes and back; int64 as strings, and every field set. */
export function codec(name: string): Codec {
  const type = root.lookupType(name);
  return {
    encode: (message) => Buffer.from(type.encode(type.fromObject(message)).finish()),
    decode: (bytes) => type.toObject(type.decode(bytes), { longs: String, defaults: true }),
  };
}

/** istio.mcp.v1alpha1.Resource. */
export type McpResource = {
  readonly metadata: { readonly name: string; readonly version: string };
  readonly body: { readonly typeUrl: string; readonly value: Uint8Array };
};

/** A plaintext connection to a server on 127.0.0.1, with room for any message. */
export function dial(port: number): Client {
  return new Client(`127.0.0.1:${port}`, credentials.createInsecure(), {
    'grpc.max_receive_message_length': -1,
    // One channel each, not one shared by address: a test that reconnects wants a new connection.
    'grpc.use_local_subchannel_pool': 1,
  });
}
