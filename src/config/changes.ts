import type { Config, SourceConfig } from './schema.ts';

/** What a running bridge takes from a config that is read again. Everything else needs a restart. */
const live = ['sources', 'confirmRemoval', 'guard', 'debounce', 'log', 'shutdownGrace'] as const;

/** A setting that is another one in the file than in force, because only a start reads it. */
export type PendingSetting = { readonly setting: string; readonly inForce: unknown; readonly wanted: unknown };

/** The config that is in force once a running bridge has taken what it can from `wanted`. */
export function inForceAfter(before: Config, wanted: Config): Config {
  const taken = Object.fromEntries(live.map((setting) => [setting, wanted[setting]]));
  // The form of its lines is chosen at the start.
  return { ...before, ...taken, log: { ...wanted.log, format: before.log.format } };
}

/** What is left for a restart. */
export function pendingSettings(inForce: Config, wanted: Config): PendingSetting[] {
  const fixed = leavesOf(inForce);
  const others = leavesOf(wanted);
  return [...new Set([...fixed.keys(), ...others.keys()])].flatMap((setting) => {
    const pending = { setting, inForce: fixed.get(setting) ?? null, wanted: others.get(setting) ?? null };
    return isSame(pending.inForce, pending.wanted) ? [] : [pending];
  });
}

/** True where the stream to a source may go on: nothing is another that it depends on. */
export function isSameStream(before: SourceConfig, after: SourceConfig): boolean {
  return isSame({ ...before, syncTimeout: undefined }, { ...after, syncTimeout: undefined });
}

/** `group.setting` → value of all that is not live. */
function leavesOf(config: Config): Map<string, unknown> {
  const leaves = new Map<string, unknown>();
  for (const [name, value] of Object.entries(config)) {
    if (name === 'log') leaves.set('log.format', config.log.format);
    if (live.some((one) => one === name)) continue;
    if (typeof value !== 'object') leaves.set(name, value);
    else for (const [inner, one] of Object.entries(value)) leaves.set(`${name}.${inner}`, one);
  }
  return leaves;
}

function isSame(a: unknown, b: unknown): boolean {
  return JSON.stringify(a) === JSON.stringify(b);
}
