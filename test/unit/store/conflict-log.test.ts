import { expect, test } from 'vitest';
import type { Conflict } from '../../../src/model/conflict.ts';
import { logConflicts } from '../../../src/store/conflict-log.ts';
import { MemoryLogger } from '../../support/memory-logger.ts';

const kind = 'networking.istio.io/ServiceEntry';

function conflict(parts: Partial<Conflict> = {}): Conflict {
  const defaults = { kind, same: 'key', name: 'shop/a', reason: 'precedence', origins: ['one', 'two'] } as const;
  return { ...defaults, resources: [], since: Date.UTC(2026, 0, 31), number: 1, ...parts };
}

const many = (count: number, parts: Partial<Conflict> = {}) =>
  Array.from({ length: count }, (_, i) => conflict({ name: `shop/secret-${i}`, ...parts }));

function logged(begun: readonly Conflict[], ended: readonly Conflict[] = []): MemoryLogger['lines'] {
  const log = new MemoryLogger();
  logConflicts(log, { begun, ended });
  return log.lines;
}

test('what is left out is a warning, with both sources and what to do', () => {
  expect(logged([conflict()])).toEqual([
    {
      level: 'warn',
      message: 'several sources hold the same resource',
      fields: {
        kind,
        resource: 'shop/a',
        reason: 'precedence',
        sources: ['one', 'two'],
        since: '2026-01-31T00:00:00.000Z',
        done: 'the first one is sent, whole',
        hint: 'keep it in one source, or put the one that is to count first in the config; now that is one',
      },
    },
  ]);
});

test.each(['equal', 'merged'] as const)('what is %s is no warning', (reason) => {
  const [line] = logged([conflict({ reason })]);
  expect(line).toMatchObject({ level: 'info', fields: { reason } });
});

test('a host is told with who names it, and its end too', () => {
  const resources = [
    { origin: 'one', key: 'shop/a' },
    { origin: 'two', key: 'shop/b' },
  ];
  const one = conflict({ same: 'host', name: 'x.example.com', reason: 'same_host', resources });
  expect(logged([one], [one])).toMatchObject([
    {
      level: 'info',
      message: 'resources of several sources name the same host',
      fields: { host: 'x.example.com', resources: ['shop/a', 'shop/b'], sources: ['one', 'two'] },
    },
    { level: 'info', message: 'a host is not named by resources of several sources any more' },
  ]);
});

test('twenty at once are told one by one, more are counted, begins and ends apart', () => {
  expect(logged(many(20), many(20))).toHaveLength(40);
  const lines = logged(
    [...many(20), ...many(3, { reason: 'merged' })],
    [...many(21), conflict({ origins: ['two', 'x'] })],
  );
  expect(lines).toMatchObject([
    { level: 'warn', fields: { conflicts: 23, reasons: { precedence: 20, merged: 3 }, sources: ['one', 'two'] } },
    { level: 'info', fields: { conflicts: 22, reasons: { precedence: 22 }, sources: ['one', 'two', 'x'] } },
  ]);
  expect(JSON.stringify(lines)).not.toContain('secret');
  expect(logged(many(30, { reason: 'merged' }))[0]?.level).toBe('info');
});
