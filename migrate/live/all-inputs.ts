import type { Readable } from 'node:stream';
import { say } from '../../src/cli/terminal.ts';
import { type Limits, readInputs } from '../scan/files.ts';
import type { Read } from '../scan/scan.ts';
import { type ClusterFlags, clusterOf, namesCluster } from './flags.ts';
import { readCluster } from './inputs.ts';

export type AllInputs = {
  readonly read: Read;
  /** The files, and the cluster, as a report names them. */
  readonly names: readonly string[];
};

export type InputOptions = { readonly stdin: Readable; readonly limits?: Limits | undefined };

/**
 * Reads the files, and the cluster where no file is given or a flag names one.
 * @throws IsthmusError for an input that was named and can't be read; KubeError where the cluster can't be asked.
 */
export async function readAllInputs(
  files: readonly string[],
  flags: ClusterFlags,
  { stdin, limits }: InputOptions,
): Promise<AllInputs> {
  const read = await readInputs(files, stdin, limits);
  if (files.length > 0 && !namesCluster(flags)) return { read, names: files };
  const cluster = await clusterOf(flags);
  const name = `context ${cluster.context}, namespace ${cluster.namespace}`;
  say(`reading ${name} (${cluster.server})`);
  const live = await readCluster(cluster);
  return {
    read: {
      files: [...read.files, ...live.files],
      unread: [...read.unread, ...live.unread],
      objects: live.objects,
    },
    names: [...files, name],
  };
}
