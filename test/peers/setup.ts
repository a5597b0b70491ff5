import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildGo, installEnvoy } from './support/build-peers.ts';
import type { Peers } from './support/peers.ts';
import { mustRun } from './support/run.ts';

/** Builds the real peers and Isthmus itself, which the suites run as a process, before the first suite. */
export default async function setup(project: TestProject): Promise<void> {
  const [galley, istiod, envoy] = await Promise.all([
    buildGo('galley-1.5.10', '.'),
    buildGo('istiod-1.24.0', 'istio.io/istio/pilot/cmd/pilot-discovery'),
    installEnvoy(),
    mustRun('npm', ['run', '--silent', 'build'], { cwd: join(import.meta.dirname, '../..') }),
  ]);
  const peers: Peers = { galley, istiod, envoy };
  for (const peer of Object.values(peers)) {
    if ('path' in peer) continue;
    if (process.env['CI'] === 'true') throw new Error(`with CI=true every peer has to be there: ${peer.absent}`);
    process.stderr.write(`peers: suites will be skipped: ${peer.absent}\n`);
  }
  project.provide('peers', peers);
}
