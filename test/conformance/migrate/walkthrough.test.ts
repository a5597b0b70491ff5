import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { Checklist } from '../../../migrate/plan/checklist.ts';
import { run } from '../../support/cli.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const root = join(import.meta.dirname, '../../..');
const page = readFileSync(join(root, 'docs/migration-walkthrough.md'), 'utf8');

test('docs/migration-walkthrough.md has the titles and commands of the checklist, in its order; test:peers writes it', async () => {
  const mesh = readFileSync(join(root, 'test/peers/fixtures/journey/istio.yaml'), 'utf8');
  const folder = tempFolder({ 'istio.yaml': mesh });
  const [typed = ''] = /^\$ isthmus migrate plan .*(?= > plan\.md$)/m.exec(page) ?? [];
  const flags = typed.split(' ').slice(5);
  expect(flags).toContain('--bridge');
  const { stdout } = await run('migrate', 'plan', join(folder, 'istio.yaml'), ...flags, '-o', 'json');
  const { steps } = JSON.parse(stdout.replaceAll(`${folder}/`, '')) as Checklist;
  let at = 0;
  for (const { title, commands, check } of steps) {
    for (const line of [`## ${title}`, ...[...commands, check.command ?? ''].map((command) => `$ ${command}`)]) {
      if (line === '$ ') continue;
      const found = page.indexOf(`${line}\n`, at);
      expect(found, `${line}, behind ${page.slice(at, at + 60)}`).toBeGreaterThan(-1);
      at = found;
    }
  }
  expect(steps).toHaveLength(8);
});
