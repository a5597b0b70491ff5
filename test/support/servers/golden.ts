import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { expect } from 'vitest';
import { resourceToObject, toYaml } from '../../../src/schema/object.ts';
import { viewResourceBytes } from '../../../src/wire/resource-view.ts';
import type { Response } from '../xds-peer.ts';

const folder = join(import.meta.dirname, '../../golden/servers');

/**
 * Compares what an istiod was given with test/golden/servers/NAME.yaml: every resource as it would be written by hand, but
 * for the version. UPDATE_GOLDEN=1 writes the file.
 *
 * @param responses the last of each type.
 */
export function expectGolden(name: string, ...responses: readonly Response[]): void {
  const file = join(folder, `${name}.yaml`);
  const text = responses.flatMap(({ typeUrl, resources }) => {
    const documents = resources.map(({ value }) => readable(value)).toSorted();
    return documents.length === 0 ? [`# ${typeUrl}: nothing\n`] : documents;
  });
  const all = text.join('---\n');
  if (process.env['UPDATE_GOLDEN'] === '1') {
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, all);
  }
  expect(existsSync(file), `${file} is there`).toBe(true);
  expect(all).toBe(readFileSync(file, 'utf8'));
}

function readable(value: Uint8Array): string {
  return toYaml([resourceToObject(viewResourceBytes(value)).object]);
}
