import { join } from 'node:path';
import type { TestProject } from 'vitest/node';
import { buildGo, buildNacos, installEnvoy } from './support/build-peers.ts';
import { installChromium } from './support/chromium.ts';
import type { Peers } from './support/peers.ts';
import { mustRun } from './support/run.ts';

const pilot = 'istio.io/istio/pilot/cmd/pilot-discovery';

type FromIstiod = 'istiod' | 'istiod-1.16.5' | 'validator-1.24.0' | 'validator-1.16.5';

/**
 * The one after the other: two of them at once would need the memory of both. The validators are made of the same
 * modules, and quick after them.
 */
async function buildIstiods(): Promise<Pick<Peers, FromIstiod>> {
  const [newer, older] = ['istiod-1.24.0', 'istiod-1.16.5'] as const;
  const mainPackage = './validator';
  return {
    istiod: await buildGo({ name: newer, module: newer, mainPackage: pilot }),
    'validator-1.24.0': await buildGo({ name: 'validator-1.24.0', module: newer, mainPackage }),
    [older]: await buildGo({ name: older, module: older, mainPackage: pilot }),
    'validator-1.16.5': await buildGo({ name: 'validator-1.16.5', module: older, mainPackage }),
  };
}

type OfLegacyMcp = 'galley' | 'mcp-source-1.5.10' | 'mcp-source-1.8-dev' | 'pilot-1.5.10' | 'pilot-1.8-dev';

/** Their modules share most of what they need, so that each is quick after the one before. */
async function buildLegacy(): Promise<Pick<Peers, OfLegacyMcp>> {
  const galley = await buildGo({ name: 'galley-1.5.10', module: 'galley-1.5.10' });
  const module = 'mcp-source';
  const [older, newer] = ['mcp-source-1.5.10', 'mcp-source-1.8-dev'] as const;
  return {
    galley,
    [older]: await buildGo({ name: older, module }),
    [newer]: await buildGo({ name: newer, module, modFile: 'istio-1.8-dev.mod' }),
    'pilot-1.5.10': await buildGo({ name: 'pilot-1.5.10', module: 'pilot-1.5.10', mainPackage: pilot }),
    'pilot-1.8-dev': await buildGo({ name: 'pilot-1.8-dev', module: 'pilot-1.8-dev', mainPackage: pilot }),
  };
}

type OfKubernetes = 'etcd' | 'kube-apiserver';

async function buildKubernetes(): Promise<Pick<Peers, OfKubernetes>> {
  const version = 'k8s.io/component-base/version';
  return {
    etcd: await buildGo({ name: 'etcd-3.6.4', module: 'etcd-3.6.4', mainPackage: 'go.etcd.io/etcd/server/v3' }),
    'kube-apiserver': await buildGo({
      name: 'kube-apiserver-1.34.4',
      module: 'kube-apiserver-1.34.4',
      mainPackage: 'k8s.io/kubernetes/cmd/kube-apiserver',
      variables: {
        [`${version}.gitVersion`]: 'v1.34.4',
        [`${version}.gitMajor`]: '1',
        [`${version}.gitMinor`]: '34',
      },
    }),
  };
}

/** Builds the real peers and Isthmus itself, which the suites run as a process, before the first suite. */
export default async function setup(project: TestProject): Promise<void> {
  const [istiods, legacy, envoy, nacos, chromium] = await Promise.all([
    buildIstiods(),
    buildLegacy().then(async (built) => ({ ...built, ...(await buildKubernetes()) })),
    installEnvoy(),
    buildNacos(),
    installChromium(),
    mustRun('npm', ['run', '--silent', 'build'], { cwd: join(import.meta.dirname, '../..') }),
  ]);
  const peers: Peers = { ...istiods, ...legacy, envoy, chromium, 'nacos-2.0.4': nacos };
  for (const peer of Object.values(peers)) {
    if ('path' in peer) continue;
    if (process.env['CI'] === 'true') throw new Error(`with CI=true every peer has to be there: ${peer.absent}`);
    process.stderr.write(`peers: suites will be skipped: ${peer.absent}\n`);
  }
  project.provide('peers', peers);
}
