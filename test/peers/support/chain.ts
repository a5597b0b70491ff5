import { join } from 'node:path';
import { ConfigFolder } from './config-folder.ts';
import { Galley } from './galley.ts';
import { Isthmus } from './isthmus.ts';
import { Istiod } from './istiod.ts';
import type { Lab } from './lab.ts';
import type { Binaries } from './peers.ts';

/** Galley on a folder, istiod that gets its configuration from it, and between them Isthmus or nothing. */
export type Chain = {
  readonly folder: ConfigFolder;
  readonly galley: Galley;
  readonly istiod: Istiod;
};

export type BridgedChain = Chain & { readonly isthmus: Isthmus };

/** Resources of every compared kind, with most of what people write in them. */
const meshFixtures = join(import.meta.dirname, '../fixtures/mesh');

async function galleyOn(lab: Lab, binary: string, { withFixtures }: { withFixtures: boolean }): Promise<Galley> {
  const folder = new ConfigFolder(lab.folder('galley-files'));
  if (withFixtures) folder.copyFrom(meshFixtures);
  return Galley.create(lab, binary, folder);
}

export type ChainOptions = {
  /** Give Isthmus a state directory. @default false */
  readonly remember?: boolean;
  /**
   * Begin with the fixtures, else with an empty folder. A proxy is better off without them: their certificates
   * exist nowhere, so that Envoy waits 15 s for each. @default true
   */
  readonly withFixtures?: boolean;
  /** Where Isthmus serves old Pilots. @default nowhere */
  readonly legacyPort?: number;
};

/** Nothing is started yet. */
export async function bridgedChain(
  lab: Lab,
  binaries: Binaries<'galley' | 'istiod'>,
  { remember = false, withFixtures = true, legacyPort }: ChainOptions = {},
): Promise<BridgedChain> {
  const galley = await galleyOn(lab, binaries.galley, { withFixtures });
  const stateDir = remember ? { stateDir: lab.folder('isthmus-state') } : {};
  const legacy = legacyPort === undefined ? {} : { legacyPort };
  const isthmus = await Isthmus.create(lab, { sourcePort: galley.port, ...stateDir, ...legacy });
  const istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${isthmus.xdsPort}`);
  return { folder: galley.folder, galley, isthmus, istiod };
}

/** The control: istiod points at Galley itself. Nothing is started yet. */
export async function unbridgedChain(lab: Lab, binaries: Binaries<'galley' | 'istiod'>): Promise<Chain> {
  const galley = await galleyOn(lab, binaries.galley, { withFixtures: true });
  const istiod = await Istiod.create(lab, binaries.istiod, `xds://127.0.0.1:${galley.port}`);
  return { folder: galley.folder, galley, istiod };
}
