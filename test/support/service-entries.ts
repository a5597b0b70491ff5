import { bodyFromJson } from '../../src/schema/json.ts';
import { encodeResourceMessage } from '../../src/wire/resource-view.ts';
import { serviceEntry } from './resources.ts';
import { field } from './wire-bytes.ts';

const http = { number: 80, name: 'http', protocol: 'HTTP' };

/** A resource of a service that every istiod takes; contents are told apart by the host. */
export function validEntry(name: string, host = 'a.example.com'): Buffer {
  return entryOf(name, { hosts: [host], ports: [http], resolution: 'DNS', location: 'MESH_EXTERNAL' });
}

/** One that every istiod from 1.14 on refuses: two ports have one name. */
export function invalidEntry(name: string, host = 'a.example.com'): Buffer {
  return entryOf(name, { hosts: [host], ports: [http, { ...http, number: 81 }], resolution: 'DNS' });
}

/** One whose body no istiod can decode: a port ends too early, where nothing on the push path looks. */
export function brokenEntry(name: string, host = 'a.example.com'): Buffer {
  return bodied(name, Buffer.concat([field(1, host), field(3, Buffer.from([0x12, 0x7f, 0x61]))]));
}

/** A resource with this spec. */
export function entryOf(name: string, spec: object): Buffer {
  const { body } = bodyFromJson(serviceEntry, spec);
  if (body === undefined) throw new Error('no ServiceEntry');
  return bodied(name, body);
}

/** A resource with this body. */
export function bodied(name: string, body: Uint8Array): Buffer {
  return encodeResourceMessage({ name, createTime: new Date(0), bodyType: serviceEntry.body, body });
}
