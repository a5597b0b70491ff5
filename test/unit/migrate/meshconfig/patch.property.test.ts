import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse, parseAllDocuments } from 'yaml';
import { placeIdOf, readBackup, sha256, writeBackup } from '../../../../migrate/meshconfig/backup.ts';
import { findMeshConfigs } from '../../../../migrate/meshconfig/find.ts';
import { type Patched, patchText } from '../../../../migrate/meshconfig/patch-text.ts';
import { rollBackText } from '../../../../migrate/meshconfig/rollback-text.ts';
import { type GeneratedFile, generatedFile, legacyAddresses } from '../../../support/migrate/generated-mesh.ts';
import { bridge } from '../../../support/migrate/patch-outcome.ts';

const runs = { numRuns: 150 };
/** Much more than it takes. */
const deadlineMs = 180_000;
const bridgeAddress = `xds://${bridge}`;

function patch({ name, text }: Pick<GeneratedFile, 'name' | 'text'>): Patched {
  const found = findMeshConfigs(name, text);
  expect(found.problems).toEqual([]);
  expect(found.meshes).toHaveLength(1);
  const [place] = found.meshes;
  if (place === undefined) throw new Error('there is no mesh config');
  const done = patchText(found, place, { bridge, kubernetes: true, toMinor: 24 });
  if ('refused' in done) throw done.refused;
  return done;
}

/** What another reader of YAML says of a file: its documents, and the mesh config. */
function read({ meshOf }: GeneratedFile, text: string) {
  const documents = parseAllDocuments(text).map((document) => document.toJS() as unknown);
  return { documents, mesh: meshOf(documents, (inner) => parse(inner) as unknown) as Record<string, unknown> };
}

const addressesOf = (mesh: Record<string, unknown>) =>
  ((mesh['configSources'] ?? []) as { address: string }[]).map(({ address }) => address);

/** The rules again, without a look at how the plan goes about it. */
function expectedAddresses(before: readonly string[]): string[] {
  const first = before.includes(bridgeAddress) ? undefined : before.find((address) => legacyAddresses.has(address));
  let isPlaced = before.includes(bridgeAddress);
  const list = before.flatMap((address) => {
    if (!legacyAddresses.has(address)) return [address];
    if (isPlaced || address !== first) return [];
    isPlaced = true;
    return [bridgeAddress];
  });
  if (!isPlaced) list.splice(list.includes('k8s://') ? list.indexOf('k8s://') : list.length, 0, bridgeAddress);
  return list.includes('k8s://') ? list : [...list, 'k8s://'];
}

describe('for any mesh config, wherever it stands', () => {
  test(
    'patch changes configSources as it should, and nothing else that a reader sees',
    () => {
      fc.assert(
        fc.property(generatedFile, (file) => {
          const done = patch(file);
          const [before, after] = [read(file, file.text), read(file, done.text)];
          expect(addressesOf(before.mesh)).toEqual(file.addresses);
          expect(addressesOf(after.mesh)).toEqual(expectedAddresses(file.addresses));
          expect({ ...after.mesh, configSources: 0 }).toEqual({ ...before.mesh, configSources: 0 });
          expect(after.documents).toHaveLength(before.documents.length);
          for (const comment of file.comments) {
            const written = file.carrier === 'double' ? JSON.stringify(comment).slice(1, -1) : comment;
            expect(done.text).toContain(written);
          }
        }),
        runs,
      );
    },
    deadlineMs,
  );

  test(
    'no line break of another kind comes in, and what is before the first and behind the last edit stays',
    () => {
      fc.assert(
        fc.property(generatedFile, (file) => {
          const { text, edits } = patch(file);
          const strays = (some: string) => some.match(/(?<!\r)\n/g)?.length ?? 0;
          if (strays(file.text) === 0) expect(strays(text)).toBe(0);
          if (!file.text.includes('\r')) expect(text).not.toContain('\r');
          const [first, last] = [edits[0], edits.at(-1)];
          expect(text.startsWith(file.text.slice(0, first?.start ?? 0))).toBe(true);
          expect(text.endsWith(file.text.slice(last?.end ?? 0))).toBe(true);
        }),
        runs,
      );
    },
    deadlineMs,
  );

  test(
    'a second patch is a no-op',
    () => {
      fc.assert(
        fc.property(generatedFile, (file) => {
          const { text } = patch(file);
          const again = patch({ name: file.name, text });
          expect([again.edits, again.text]).toEqual([[], text]);
        }),
        runs,
      );
    },
    deadlineMs,
  );

  test(
    'patch, then rollback, gives the bytes back; with edits elsewhere, those stay',
    () => {
      fc.assert(
        fc.property(generatedFile, (file) => {
          const { text, edits } = patch(file);
          const [place] = findMeshConfigs(file.name, file.text).meshes;
          if (place === undefined) throw new Error('there is no mesh config');
          const original = Buffer.from(file.text);
          const sums = { before: sha256(original), after: sha256(Buffer.from(text)) };
          const backup = readBackup(
            writeBackup({ file: file.name, place: placeIdOf(place), sha256: sums, edits, original }),
          );
          if (typeof backup === 'string') throw new Error(backup);
          expect(backup.original.toString()).toBe(file.text);
          expect(rollBackText(backup, file.text, text)).toEqual({ text: file.text, kept: true });
          if (file.carrier === 'jsonFile') return;
          const [more, with_] = ['# more\n', (some: string) => `# more\n${some}`];
          expect(rollBackText(backup, file.text, with_(text))).toEqual({ text: more + file.text, kept: true });
        }),
        runs,
      );
    },
    deadlineMs,
  );
});
