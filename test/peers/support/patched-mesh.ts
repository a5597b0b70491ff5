import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { findMeshConfigs } from '../../../migrate/meshconfig/find.ts';
import { patchText } from '../../../migrate/meshconfig/patch-text.ts';

const folder = join(import.meta.dirname, '../../golden/migrate/patch/fixtures');

/**
 * The mesh config of a golden of `migrate patch` as it is for istiod, once its sources are a bridge at that port.
 * @param kubernetes whether k8s:// is added where it is missing.
 */
export function patchedMesh(golden: string, port: number, kubernetes: boolean): string {
  const found = findMeshConfigs(golden, readFileSync(join(folder, golden), 'utf8'));
  const [place] = found.meshes;
  if (place === undefined) throw new Error(`${golden} has no mesh config`);
  const done = patchText(found, place, { bridge: `127.0.0.1:${port}`, kubernetes, toMinor: undefined });
  if ('refused' in done) throw done.refused;
  const [now] = findMeshConfigs(golden, done.text).meshes;
  return now?.text.layer.text ?? '';
}
