import type { Kind } from '../model/kinds.ts';
import { describe, type Field, type MessageType, typeOfBody } from './descriptor.ts';
import type { Path } from './problem.ts';

/**
 * The field that the last step of a path names.
 *
 * @param path begins with `spec`, in the names of JSON.
 * @returns undefined where that step is the key of a map or the index of a list, or where there is no such field.
 */
export function fieldAt(kind: Kind, path: Path): Field | undefined {
  let type: MessageType | undefined = typeOfBody(kind);
  let field: Field | undefined;
  let isInside = false;
  for (const step of path.slice(1)) {
    if (isInside) {
      // A key or an index: what it leads to is one value of the field before.
      type = field === undefined ? undefined : messageOf(field);
      field = undefined;
      isInside = false;
      continue;
    }
    field = type === undefined ? undefined : describe(type).byJsonName.get(String(step));
    if (field === undefined) return undefined;
    isInside = field.repeated || field.key !== undefined;
    if (!isInside) type = messageOf(field);
  }
  return field;
}

/** Undefined where the JSON of a message is not that of its fields, too: what Google has defined reads as one value. */
function messageOf({ value }: Field): MessageType | undefined {
  return 'message' in value && !value.name.startsWith('google.protobuf.') ? value.message : undefined;
}
