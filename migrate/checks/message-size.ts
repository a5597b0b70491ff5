import { objectText } from '../scan/objects.ts';
import type { Resource } from '../scan/resources.ts';
import type { Check } from './check.ts';

const limit = 4 * 1024 * 1024;

const warningFrom = 0.75 * limit;

export const messageSize: Check = {
  code: 'MESSAGE_SIZE',
  severities: ['error', 'warning'],
  finds:
    'More of one kind behind the bridge (`--behind`) than one message to istiod up to 1.11 may have, 4 MiB. A warning from three quarters of it.',
  left: [
    {
      from: 9,
      to: 11,
      what: 'takes 4 MiB in one message, and a kind is one message: the bridge sends no more of it than fits, and keeps what was sent last',
    },
  ],
  fix: 'Go to istiod 1.12 or newer first, or divide the sources among several bridges.',
  source: 'gRPC’s default; run on 1.9.9 and 1.11.8; docs/limits.md',
  applicable: ({ behind }) => behind !== undefined,
  run({ behind = [] }) {
    const kinds = new Map<string, { bytes: number; count: number; over: Resource }>();
    for (const resource of behind) {
      if (resource.kind === undefined) continue;
      const before = kinds.get(resource.kind.id);
      const bytes = (before?.bytes ?? 0) + resource.bytes;
      const over = before !== undefined && before.bytes > limit ? before.over : resource;
      kinds.set(resource.kind.id, { bytes, count: (before?.count ?? 0) + 1, over });
    }
    return [...kinds.values()]
      .filter(({ bytes }) => bytes >= warningFrom)
      .map(({ bytes, count, over }) => ({
        at: over.at,
        message: `${count.toLocaleString('en')} resources of the kind of ${objectText(over.object)} are about ${(bytes / 1024 / 1024).toFixed(1)} MiB in one message`,
        fix: 'go to istiod 1.12 or newer first, or divide the sources among several bridges (never the same namespace/name in two)',
        severity: bytes > limit ? ('error' as const) : ('warning' as const),
      }));
  },
};
