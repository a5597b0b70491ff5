import type { QuarantineReason } from '../../../src/model/change.ts';
import type { Kind } from '../../../src/model/kinds.ts';
import { type Content, textOfContent } from './content.ts';

/** A name as a source writes it. */
export type Name = { readonly key: string; readonly text: string };

const nameOf = (key: string, text = key): Name => ({ key, text });

/** Few keys, so that messages speak of the same ones, but enough to collide in a table; and each way to write them. */
export const names: readonly Name[] = [
  nameOf('shop/a'),
  nameOf('shop/b'),
  nameOf('shop/b', '/shop/b'),
  nameOf('shöp/ä'),
  nameOf('default/x'),
  nameOf('default/x', 'x'),
  nameOf('shop/c'),
  nameOf('shop/d'),
  nameOf('shop/e'),
];

/** False where the name has no namespace and the kind must not have one guessed. */
export function isReadable({ text }: Name, kind: Kind): boolean {
  return text.includes('/') || !kind.meshWide;
}

/** What the encoding of a resource leaves open. None of it is content. */
export type Dialect = {
  /** Order of the entries of every map: 0 to 5. */
  readonly turn: number;
  readonly time: 'none' | 'zero' | '1970' | 'some' | 'invalid';
  readonly version: string;
  /** True for a package name of a later Istio. */
  readonly later: boolean;
  readonly layout: 'plain' | 'body first' | 'maps mixed';
};

/** A named resource that istiod would drop, and why it is not sent. */
export const badForms = {
  'no body': 'no_body',
  'no type': 'no_body',
  'other body': 'wrong_kind',
  'broken value': 'malformed',
  'broken body': 'malformed',
  'bad labels': 'malformed',
} as const satisfies Record<string, QuarantineReason>;

/** A resource of which nobody can tell which one it is. */
export const strangeForms = {
  nothing: 'no_metadata',
  'no protobuf': 'malformed',
  'no metadata': 'no_metadata',
  'no name': 'bad_name',
  'empty namespace': 'bad_name',
  'slash at the end': 'bad_name',
  'two slashes': 'bad_name',
  NUL: 'bad_name',
  'broken before its name': 'malformed',
} as const satisfies Record<string, QuarantineReason>;

export type BadForm = keyof typeof badForms;
export type StrangeForm = keyof typeof strangeForms;

/** One resource of a message. */
export type Item =
  | { readonly form: 'good'; readonly name: Name; readonly content: Content; readonly dialect: Dialect }
  | { readonly form: BadForm; readonly name: Name }
  | { readonly form: StrangeForm };

/** What ADR 1 makes of an item: a good form, a bad one of a known key, or one that may be any. */
export type Reading =
  | { readonly key: string; readonly text: string }
  | { readonly key: string; readonly reason: QuarantineReason }
  | { readonly key: undefined; readonly reason: QuarantineReason };

export function readingOf(item: Item, kind: Kind): Reading {
  if (!('name' in item)) return { key: undefined, reason: strangeForms[item.form] };
  if (!isReadable(item.name, kind)) {
    return { key: undefined, reason: item.form === 'broken body' ? 'malformed' : 'bare_mesh_wide_name' };
  }
  const { key } = item.name;
  return item.form === 'good' ? { key, text: textOfContent(kind, item.content) } : { key, reason: badForms[item.form] };
}
