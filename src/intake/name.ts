import { isAscii, isUtf8 } from 'node:buffer';
import type { Kind } from '../model/kinds.ts';

/** Longest name taken: twice what Kubernetes allows for a namespace and a name, and then some. */
export const maxNameBytes = 1024;

const slash = 0x2f;
const percent = 0x25;

/** How the names of one source become `namespace/name`. */
export type NameRules = {
  /** Namespace of a bare name. */
  readonly defaultNamespace: string;
  /** True where the operator chose it. A guessed namespace is too dangerous for a kind that may speak for the mesh. */
  readonly namespaceIsExplicit: boolean;
  /**
   * What is done with more slashes than one, and with none behind the last: `refuse`, as istiod does, or `escape`: what is
   * behind the first slash is the name, in which `/` becomes `%2F` and `%` becomes `%25`; no name at all becomes `%`. So no
   * two names become one. @default refuse
   */
  readonly slashes?: 'refuse' | 'escape';
};

/** A usable name (as text and as the bytes to send), or why there is none. */
export type ParsedName =
  | { readonly key: string; readonly bytes: Buffer; readonly bare: boolean; readonly escaped?: true }
  | { readonly reason: 'bad_name' | 'bare_mesh_wide_name'; readonly message: string };

/** True where a name looks as though it had been escaped: a source that has `a/b%2Fc` and `a/b/c` has two resources. */
export function holdsEscape(bytes: Uint8Array, start: number, end: number): boolean {
  for (let i = start; i < end; i++) if (bytes[i] === percent) return true;
  return false;
}

/** True for the common case, `namespace/name` in ASCII: it is the key as it stands. {@link parseName} reads the others. */
export function isPlainName(bytes: Uint8Array, start: number, end: number): boolean {
  let slashAt = -1;
  for (let i = start; i < end; i++) {
    const byte = bytes[i] as number;
    if (byte === 0 || byte >= 0x80 || (byte === slash && slashAt >= 0)) return false;
    if (byte === slash) slashAt = i;
  }
  return slashAt > start && slashAt !== end - 1 && end - start <= maxNameBytes;
}

/**
 * Reads a legacy `metadata.name`. `ns/name` is the rule; `/ns/name` occurs in old Consul adapters; a bare `name`
 * gets the default namespace. Everything else istiod would drop, or file under an empty namespace or name
 * (istiod 1.24 adsc.go mcpToPilot), which then can't be addressed by anybody.
 */
export function parseName(bytes: Buffer, kind: Kind, rules: NameRules): ParsedName {
  if (bytes.length === 0) return bad('', 'is empty');
  if (bytes.length > maxNameBytes) return bad('', `is ${bytes.length} bytes long; at most ${maxNameBytes} are taken`);
  const ascii = isAscii(bytes);
  if (!ascii && !isUtf8(bytes)) return bad('', 'is no valid UTF-8');
  const text = bytes.toString(ascii ? 'latin1' : 'utf8');
  if (bytes.includes(0)) return bad(text.replaceAll('\0', '\\0'), 'holds a NUL');

  const from = bytes[0] === slash ? 1 : 0;
  const first = text.indexOf('/', from);
  if (first < 0) {
    if (from === 1) return bad(text, 'has an empty namespace');
    if (kind.meshWide && !rules.namespaceIsExplicit) {
      return {
        reason: 'bare_mesh_wide_name',
        message:
          `name "${text}" has no namespace, and a ${kind.kind} in the root namespace speaks for the whole mesh; ` +
          'set defaultNamespace for this source to say where it belongs',
      };
    }
    const name = rules.slashes === 'escape' ? escaped(text) : text;
    return written(rules.defaultNamespace, name, { bare: true, ...(name === text ? {} : { escaped: true }) });
  }
  if (first === from) return bad(text, 'has an empty namespace');
  if (rules.slashes === 'escape') {
    const rest = text.slice(first + 1);
    const name = escaped(rest);
    if (name !== rest) return written(text.slice(from, first), name, { bare: false, escaped: true });
  }
  if (first === text.length - 1) return bad(text, 'ends with a slash', orEscape);
  if (text.includes('/', first + 1)) return bad(text, 'has more than one slash', orEscape);
  return { key: from === 0 ? text : text.slice(1), bytes: bytes.subarray(from), bare: false };
}

/** A name without slashes that no other name becomes. */
function escaped(name: string): string {
  return name === '' ? '%' : name.replaceAll('%', '%25').replaceAll('/', '%2F');
}

function written(namespace: string, name: string, how: { bare: boolean; escaped?: true }): ParsedName {
  const key = `${namespace}/${name}`;
  const bytes = Buffer.from(key);
  if (bytes.length > maxNameBytes) {
    return bad('', `is, as it has to be written, ${bytes.length} bytes long; at most ${maxNameBytes} are taken`);
  }
  return { key, bytes, ...how };
}

/** For names that another setting of the source would take. */
const orEscape = '; where it is meant so, set slashes: escape for this source';

function bad(text: string, what: string, more = ''): ParsedName {
  const name = text === '' ? 'metadata.name' : `metadata.name "${text}"`;
  return { reason: 'bad_name', message: `${name} ${what}; "namespace/name" is expected${more}` };
}
