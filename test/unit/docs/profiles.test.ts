import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { parse } from 'yaml';
import { type ConfigInput, configSchema } from '../../../src/config/schema.ts';
import { configJsonSchema } from '../../../src/config/json-schema.ts';
import {
  defaultSourceProfile,
  type ProfileName,
  profileNames,
  sourceProfiles,
} from '../../../src/legacy/source-profile.ts';
import { bodyRepairs } from '../../../src/model/change.ts';

const docs = join(import.meta.dirname, '../../../docs');
const page = readFileSync(join(docs, 'profiles.md'), 'utf8');

/** Cells of the rows of the first table behind a title, or of the page. */
function rowsBehind(title: string): string[][] {
  const [, section = ''] = title === '' ? ['', page] : page.split(`\n## ${title}\n`);
  const lines = (section.split('\n## ')[0] ?? '').split('\n').filter((line) => line.startsWith('|'));
  return lines.slice(2).map((line) =>
    line
      .slice(1, -1)
      .split(/(?<!\\)\|/)
      .map((cell) => cell.trim()),
  );
}

const namesIn = (text = ''): string[] => Array.from(text.matchAll(/`([^`]+)`/g), ([, name]) => name ?? '');

/** What a field of a profile is called in the config. */
const settings: Readonly<Record<string, string>> = { silentCollectionMs: 'silentCollection', pingMs: 'keepalive' };

function settingsOf(name: ProfileName): string[] {
  const fields = Object.keys(defaultSourceProfile) as (keyof typeof defaultSourceProfile)[];
  return fields
    .filter((field) => JSON.stringify(sourceProfiles[name][field]) !== JSON.stringify(defaultSourceProfile[field]))
    .map((field) => settings[field] ?? field);
}

describe('docs/profiles.md', () => {
  test('has a row for each profile, with the habits in which it differs', () => {
    const rows = rowsBehind('').slice(0, profileNames.length);
    const named = rows.map(([name, , differs]) => [namesIn(name).join(), namesIn(differs).toSorted()]);
    const wanted = profileNames.map((name) => [name, settingsOf(name).toSorted()]);
    expect(Object.fromEntries(named)).toEqual(Object.fromEntries(wanted));
  });

  test('has a row for each habit', () => {
    const named = rowsBehind('Habits').flatMap(([name]) => namesIn(name));
    const fields = Object.keys(defaultSourceProfile).map((field) => settings[field] ?? field);
    expect(named.toSorted()).toEqual(fields.toSorted());
  });

  test('has a row for each repair, with the name under which it is counted', () => {
    const rows = rowsBehind('Repairs');
    type Schema = { readonly properties: Readonly<Record<string, Schema>>; readonly items: Schema };
    const { properties } = configJsonSchema() as Schema;
    const known = Object.keys(properties['sources']?.items.properties['repairs']?.properties ?? {});
    expect(rows.flatMap(([name]) => namesIn(name)).toSorted()).toEqual(known.toSorted());
    expect(rows.flatMap(([, code]) => namesIn(code)).toSorted()).toEqual([...bodyRepairs].sort());
  });
});

const folder = join(docs, 'servers');
const steps = 'README.md';
const pages = readdirSync(folder).filter((name) => name !== steps);

describe('docs/servers', () => {
  test('every page is linked, and every link is a page', () => {
    const linked = Array.from(page.matchAll(/\(servers\/([^)]+)\)/g), ([, file = '']) => file);
    expect([...new Set(linked)].toSorted()).toEqual(pages.toSorted());
  });

  test.each(pages)('%s: the page of the steps leads to it, and back', (file) => {
    expect(readFileSync(join(folder, steps), 'utf8')).toContain(`](${file})`);
    expect(readFileSync(join(folder, file), 'utf8')).toContain(`](${steps})`);
  });

  test.each(pages)('%s: its links are files, its tests among them', (file) => {
    const text = readFileSync(join(folder, file), 'utf8');
    const links = Array.from(text.matchAll(/\]\(([^)#]+)(?:#[^)]*)?\)/g), ([, link]) => link ?? '');
    expect(links.some((link) => link.endsWith('.test.ts'))).toBe(true);
    expect(links.filter((link) => !existsSync(join(folder, link)))).toEqual([]);
  });

  test.each([steps, ...pages])('%s: its config is one', (file) => {
    const [, block] = /```yaml\n(.*?)```/s.exec(readFileSync(join(folder, file), 'utf8')) ?? [];
    if (block === undefined) {
      // The page of a server that nobody knows has commands alone.
      expect(file).toBe('your-own.md');
      return;
    }
    const given = parse(block.replaceAll(':PORT', ':9901')) as ConfigInput;
    expect(configSchema.safeParse(given).error).toBeUndefined();
    expect(given.sources).toHaveLength(1);
  });
});
