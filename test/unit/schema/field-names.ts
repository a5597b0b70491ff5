import { kinds } from '../../../src/model/kinds.ts';
import { describe, type MessageType, typeOfBody } from '../../../src/schema/descriptor.ts';

/** True for the types of protobuf itself, whose JSON is no list of fields. */
export const isGoogles = (type: MessageType): boolean => type.fullName.startsWith('.google.');

/** `Message.field` of every field that a kind has at any depth; those that Istio dropped only where that is asked. */
export function fieldNames({ dropped }: { dropped: boolean }): Set<string> {
  const names = new Set<string>();
  const seen = new Set<MessageType>();
  const enter = (type: MessageType): void => {
    if (seen.has(type) || isGoogles(type)) return;
    seen.add(type);
    for (const one of describe(type).fields) {
      if (one.dropped && !dropped) continue;
      names.add(`${type.fullName}.${one.jsonName}`);
      if ('message' in one.value) enter(one.value.message);
    }
  };
  for (const kind of kinds) enter(typeOfBody(kind));
  return names;
}

/** `Message.field` of every field that is set in a spec. */
export function fieldsIn(type: MessageType, json: unknown, names = new Set<string>()): Set<string> {
  if (isGoogles(type)) return names;
  for (const [name, value] of Object.entries(json as object)) {
    const one = describe(type).byJsonName.get(name);
    if (one === undefined) throw new Error(`${type.fullName} has no ${name}`);
    names.add(`${type.fullName}.${name}`);
    if (!('message' in one.value)) continue;
    const inner = one.repeated || one.key !== undefined ? Object.values(value as object) : [value];
    for (const element of inner) fieldsIn(one.value.message, element, names);
  }
  return names;
}
