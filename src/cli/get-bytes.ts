import type { Kind } from '../model/kinds.ts';
import { resourceToObject } from '../schema/object.ts';
import { type ResourceView, viewResourceBytes } from '../wire/resource-view.ts';
import type { Served } from './get-readers.ts';

/** A resource that came as bytes; one that can't be read has no name. */
export function served(kind: Kind, bytes: Buffer): Served {
  let view: ResourceView;
  try {
    view = viewResourceBytes(bytes);
  } catch {
    return {
      kind: kind.kind,
      namespace: '',
      name: '(unreadable)',
      version: '',
      bytes: bytes.length,
      object: async () => ({}),
    };
  }
  const slash = view.name.indexOf('/');
  return {
    kind: kind.kind,
    namespace: slash < 0 ? '' : view.name.slice(0, slash),
    name: view.name.slice(slash + 1),
    version: view.version,
    bytes: bytes.length,
    raw: bytes,
    object: async () => resourceToObject(view).object,
  };
}
