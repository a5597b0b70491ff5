import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { placeIdOf, readBackup, sha256, writeBackup } from '../../../../migrate/meshconfig/backup.ts';
import { findMeshConfigs } from '../../../../migrate/meshconfig/find.ts';
import { rollBackText } from '../../../../migrate/meshconfig/rollback-text.ts';
import { patchText } from '../../../../migrate/meshconfig/patch-text.ts';
import { choosePlace } from '../../../../migrate/patch-place.ts';
import { bridge, patchFlagsOf, patchOutcome } from '../../../support/migrate/patch-outcome.ts';

/**
 * `NAME.yaml` and `NAME.yaml.expected`: the flags, then what patch says. After a change on purpose UPDATE_GOLDEN=1 writes what is
 * expected anew; look at the difference.
 */
const folder = join(import.meta.dirname, '../../../golden/migrate/patch/fixtures');
const isUpdate = process.env['UPDATE_GOLDEN'] === '1';

const names = readdirSync(folder).filter((name) => !name.endsWith('.expected'));
const textOf = (name: string) => readFileSync(join(folder, name), 'utf8');

/** The flags of a case, and what is expected of it. */
function expectedOf(name: string): { flags: string; said: string } {
  const file = `${name}.expected`;
  const text = existsSync(join(folder, file)) ? textOf(file) : 'flags: --to-version 1.24\n';
  const [, flags = '', said = ''] = /^flags: (.*)\n([^]*)$/.exec(text) ?? [];
  return { flags, said };
}

test('there are goldens, each with what is expected', () => {
  expect(names.length).toBeGreaterThanOrEqual(60);
  if (!isUpdate) expect(names.filter((name) => !existsSync(join(folder, `${name}.expected`)))).toEqual([]);
});

/** Every file, with what patch says of it. */
const cases = names.map((name) => {
  const { flags, said } = expectedOf(name);
  const text = textOf(name);
  return { name, text, line: flags, said, outcome: patchOutcome(name, text, patchFlagsOf(flags)) };
});

test.each(cases)('$name is edited, or refused, as expected', ({ name, line, said, outcome }) => {
  if (isUpdate) writeFileSync(join(folder, `${name}.expected`), `flags: ${line}\n${outcome.said}`);
  else expect(outcome.said).toBe(said);
});

const edited = cases.filter(({ outcome }) => outcome.text !== undefined);

test('most of them are edited', () => {
  expect(edited.length).toBeGreaterThan(60);
});

describe.each(edited)('$name', ({ name, text, line, outcome }) => {
  const flags = patchFlagsOf(line);
  const patched = outcome.text ?? '';

  test('a second patch changes nothing', () => {
    expect(patchOutcome(name, patched, flags).text).toBe(patched);
  });

  test('its backup gives the bytes back', () => {
    const found = findMeshConfigs(name, text);
    const place = choosePlace(found, flags, '');
    const done = patchText(found, place, { bridge, kubernetes: flags.k8s, toMinor: 24 });
    if ('refused' in done) throw done.refused;
    const original = Buffer.from(text);
    const sums = { before: sha256(original), after: sha256(Buffer.from(done.text)) };
    const backup = readBackup(
      writeBackup({ file: name, place: placeIdOf(place), sha256: sums, edits: done.edits, original }),
    );
    if (typeof backup === 'string') throw new Error(backup);
    expect(backup.original.equals(original)).toBe(true);
    expect(backup.sha256.after).toBe(sha256(Buffer.from(patched)));
    // Without the sums too, by the place of the mesh config alone.
    expect(rollBackText(backup, text, patched)).toEqual({ text, kept: true });
  });
});
