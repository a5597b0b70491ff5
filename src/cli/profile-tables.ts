import type { OriginView } from '../admin/views.ts';
import { table } from './terminal.ts';

/** Repairs of bodies are what somebody has turned on; the others are made for everyone, and lose nothing. */
const harmless = ['bare_name', 'create_time', 'duplicate', 'escaped_name'];

/** Which servers the sources were taken for, where that is known, and what is repaired of what they say. */
export function profileTables(origins: readonly OriginView[]): string[] {
  const known = origins.flatMap(({ name, profile }) => {
    if (profile === null || (profile.configured === 'auto' && profile.looksLike === null)) return [];
    const { configured, looksLike, because, notInForce } = profile;
    return [[name, configured, looksLike ?? '-', because.join('; ') || '-', notInForce.join(', ') || '-']];
  });
  const repaired = origins.flatMap(({ name, kinds }) =>
    kinds.flatMap(({ kind, repairs }) =>
      Object.entries(repairs).flatMap(([repair, count]) =>
        harmless.includes(repair) ? [] : [[name, kind, repair, String(count)]],
      ),
    ),
  );
  return [
    ...(known.length === 0 ? [] : [table(['SOURCE', 'PROFILE', 'LOOKS LIKE', 'BECAUSE', 'NOT IN FORCE'], known)]),
    ...(repaired.length === 0 ? [] : [table(['SOURCE', 'KIND', 'REPAIR', 'RESOURCES'], repaired)]),
  ];
}
