import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { alertNames, readRules } from '../../support/alert-rules.ts';

const page = readFileSync(join(import.meta.dirname, '../../../docs/runbook.md'), 'utf8');
const entries = new Map(
  page
    .split(/^## /m)
    .slice(1)
    .map((entry) => [entry.slice(0, entry.indexOf('\n')), entry] as const),
);

describe('docs/runbook.md', () => {
  test('has an entry for each alert, and none for what is no alert, in the same order', () => {
    expect([...entries.keys()]).toEqual(alertNames());
  });

  test.each(alertNames())('%s: what it means, how to confirm it, what to do', (alert) => {
    const entry = entries.get(alert) ?? '';
    const parts = Array.from(entry.matchAll(/^\*\*(\w+)\.\*\*/gm), ([, part]) => part);
    expect(parts).toEqual(['Means', 'Confirm', 'Do']);
    const [, confirm = ''] = /\*\*Confirm\.\*\*(.*)\*\*Do\.\*\*/s.exec(entry) ?? [];
    expect(confirm).toContain('```sh\n');
  });
});

test('each alert says how bad it is, in a sentence what is the matter, and where its entry is', () => {
  const alerts = readRules().groups.flatMap(({ rules }) => rules.filter(({ alert }) => alert !== undefined));
  expect(alerts.length).toBeGreaterThan(9);
  for (const { alert = '', labels, annotations } of alerts) {
    expect(['warning', 'critical'], alert).toContain(labels?.['severity']);
    expect(annotations?.['summary'], alert).toMatch(/\.$/);
    expect(annotations?.['description'], alert).toMatch(/\.$/);
    expect(annotations?.['runbook_url'], alert).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
  }
});
