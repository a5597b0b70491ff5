import { describe, expect, test } from 'vitest';
import { Cli, run } from '../../support/cli.ts';
import { eventually } from '../../support/eventually.ts';
import { DebugPages } from '../../support/istiod/debug-pages.ts';
import { IstiodLab, object } from '../../support/istiod/lab.ts';
import { KubeMesh, type MeshPod } from '../../support/kube/mesh.ts';

const objects = [
  object('shop/orders', 'orders.example'),
  object('shop/carts', 'carts.example'),
  object('shop/vm-1', '192.0.2.1', { kind: 'WorkloadEntry' }),
];

/** What a new Pod is like. */
type Nature = 'good' | 'never ready' | 'lacks one' | 'not fed';

/** A bridge, and a cluster whose istiods are fed by it once they are started anew. */
async function start(replicas: number, natures: readonly Nature[] = []) {
  const lab = await IstiodLab.start(objects);
  await lab.bridge.complete();
  const pages = new Map<string, DebugPages>();
  const mesh: KubeMesh = await KubeMesh.start(replicas, async (pod: MeshPod) => {
    const isOld = pod.number <= replicas;
    const nature: Nature = isOld ? 'not fed' : (natures[pod.number - replicas - 1] ?? 'good');
    const istiod = await lab.istiod('1.24');
    const page = await DebugPages.serve(istiod, `xds://127.0.0.1:${lab.port}`);
    pages.set(pod.name, page);
    if (nature === 'lacks one') page.options.edit = (all) => all.slice(1);
    if (nature === 'not fed') page.options.edit = () => [];
    pod.port = { port: Number(new URL(page.url).port) };
    if (nature === 'never ready') pod.waiting = 'CrashLoopBackOff';
    else {
      pod.isReady = true;
      pod.readySince = Date.now();
    }
  });
  const bridge = ['--bridge', `127.0.0.1:${lab.port}`, '--admin', lab.bridge.adminUrl];
  const args = ['migrate', 'restart', ...bridge, ...mesh.flags];
  return { lab, mesh, pages, bridge, args };
}

/** What must be as it was, whatever happens. */
const untouched = ({ spec, annotations }: KubeMesh) => ({
  strategy: spec['strategy'],
  minReadySeconds: spec['minReadySeconds'],
  progressDeadlineSeconds: spec['progressDeadlineSeconds'],
  annotations,
});

const before = {
  strategy: { type: 'RollingUpdate', rollingUpdate: { maxSurge: '100%', maxUnavailable: '25%' } },
  minReadySeconds: undefined,
  progressDeadlineSeconds: 600,
  annotations: { owner: 'a test' },
};

describe.each([1, 2, 3, 5])('%i replicas', (replicas) => {
  test('are replaced one at a time, each a new one first, and the Deployment is as it was', async () => {
    const { mesh, args } = await start(replicas);
    const old = mesh.pods.map(({ name }) => name);
    const { code, stdout, stderr } = await run(...args, '--apply');
    expect([code, stdout, stderr]).toEqual([0, expect.stringContaining('done'), expect.any(String)]);
    // old + new: never less than there were, and never two steps at once.
    const steps = Array.from({ length: replicas }, (_, i) => [
      `${replicas - i}+${i + 1}`,
      `${replicas - i - 1}+${i + 1}`,
    ]);
    expect(mesh.history.slice(1)).toEqual(steps.flat());
    expect(mesh.pods).toHaveLength(replicas);
    expect(mesh.pods.filter(({ name }) => old.includes(name))).toEqual([]);
    expect(untouched(mesh)).toEqual(before);
  });
});

test('without --apply it says what there is to do, and changes nothing', async () => {
  const { mesh, args } = await start(2);
  const { code, stdout } = await run(...args);
  expect([code, mesh.patches, mesh.history]).toEqual([0, [], ['0+2']]);
  expect(stdout).toContain('No version of istiod reads configSources again while it runs');
  expect(stdout).toContain('istiod-0-1: Ready');
});

test('a bridge that is not complete: nothing is restarted', async () => {
  const { lab, mesh, args } = await start(2);
  await lab.stopBridge();
  const { code, stderr } = await run(...args, '--apply');
  expect([code, mesh.patches]).toEqual([2, []]);
  expect(stderr).toContain('nothing was restarted');
});

describe('a new replica that is not as it should be: it stops, and the old ones run on', () => {
  test.each<[Nature, string]>([
    ['never ready', 'is not Ready: CrashLoopBackOff'],
    ['lacks one', 'differs from the bridge: missing'],
    ['not fed', 'it has nothing of what the bridge serves'],
  ])('%s', async (nature, why) => {
    const { mesh, args } = await start(3, [nature]);
    const { code, stdout } = await run(...args, '--apply', '--wait', '2s');
    expect(code).toBe(1);
    expect(stdout).toContain(why);
    expect(stdout).toContain('has 1 new and 3 old Pods, and nothing happens by itself');
    expect(stdout).toContain('--undo --apply');
    expect(mesh.history).toEqual(['0+3', '3+1']);
    expect(mesh.pods.filter(({ number }) => number <= 3)).toHaveLength(3);
  });

  test('also where the first ones were good', async () => {
    const { mesh, args } = await start(3, ['good', 'lacks one']);
    const { code, stdout } = await run(...args, '--apply', '--wait', '2s');
    expect([code, mesh.history.at(-1)]).toEqual([1, '2+2']);
    expect(stdout).toContain('has 2 new and 2 old Pods');
  });

  test('--undo takes it back: the very old Pods run on, and the Deployment is as it was', async () => {
    const { mesh, args } = await start(3, ['never ready']);
    const old = mesh.pods.map(({ name }) => name);
    expect((await run(...args, '--apply', '--wait', '1s')).code).toBe(1);
    const { code, stdout } = await run('migrate', 'restart', '--undo', '--apply', ...mesh.flags);
    expect([code, stdout]).toEqual([0, expect.stringContaining('taken back')]);
    expect(mesh.pods.map(({ name }) => name)).toEqual(old);
    expect(untouched(mesh)).toEqual(before);
    const again = await run('migrate', 'restart', '--undo', '--apply', ...mesh.flags);
    expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('no restart is under way')]);
  });

  test('the same command goes on once it is mended', async () => {
    const { mesh, pages, args } = await start(3, ['good', 'lacks one']);
    expect((await run(...args, '--apply', '--wait', '2s')).code).toBe(1);
    const [told] = [await run(...args)];
    expect(told.stdout).toContain('A restart stands still: 2 new Pods, 2 old ones of 3');
    for (const page of pages.values()) delete page.options.edit;
    const { code } = await run(...args, '--apply');
    expect([code, mesh.history.at(-1)]).toEqual([0, '0+3']);
    expect(untouched(mesh)).toEqual(before);
  });
});

test('Ctrl-C: it says how it stands, and goes no further', async () => {
  const { mesh, args } = await start(3, ['good', 'never ready']);
  const cli = new Cli([...args, '--apply']);
  await cli.says('stderr', /waiting: Pod istiod-1-5 is not Ready/);
  cli.signal('SIGINT');
  await eventually(() => cli.exit !== undefined);
  expect(cli.exit).toEqual({ code: 1, signal: null });
  expect(cli.stdout).toContain('stopped: it was interrupted');
  expect(cli.stdout).toContain('has 2 new and 2 old Pods, and nothing happens by itself');
  expect(mesh.history.at(-1)).toBe('2+2');
});

test('killed in the middle: the Deployment goes no further by itself, even once the Pod is Ready', async () => {
  const { mesh, args } = await start(3, ['never ready']);
  const cli = new Cli([...args, '--apply']);
  await cli.says('stderr', /is not Ready/);
  cli.signal('SIGKILL');
  await eventually(() => cli.exit !== undefined);
  const pod = mesh.pods.find(({ number }) => number === 4);
  if (pod === undefined) throw new Error('no new Pod');
  await mesh.changed(pod, true);
  await mesh.reconcile();
  expect(mesh.history).toEqual(['0+3', '3+1']);
});

test('somebody else changes the Deployment meanwhile: it stops', async () => {
  const { mesh, args } = await start(3, ['never ready']);
  const running = run(...args, '--apply');
  await eventually(() => mesh.history.at(-1) === '3+1');
  await mesh.edit({ spec: { replicas: 4 } });
  const { code, stdout } = await running;
  expect([code, stdout]).toEqual([1, expect.stringContaining('the replicas were changed from 3 to 4')]);
});

describe('a Deployment that can’t be restarted in that way is left alone', () => {
  test('Recreate', async () => {
    const { mesh, args } = await start(1);
    await mesh.edit({ spec: { strategy: { type: 'Recreate', rollingUpdate: null } } });
    const { code, stderr } = await run(...args, '--apply');
    expect([code, mesh.patches]).toEqual([2, []]);
    expect(stderr).toContain('Recreate');
  });

  test('one that is not there: exit code 3', async () => {
    const { args } = await start(1);
    const { code, stderr } = await run(...args, '--apply', '--deployment', 'other');
    expect([code, stderr]).toEqual([3, expect.stringContaining('other')]);
  });
});

test('after a rollback Ready is enough', async () => {
  const { mesh, lab } = await start(2, ['not fed', 'not fed']);
  await lab.stopBridge();
  const { code } = await run('migrate', 'restart', '--ready-only', '--apply', ...mesh.flags);
  expect([code, mesh.history.at(-1)]).toEqual([0, '0+2']);
});

describe('isthmus migrate verify in a cluster', () => {
  test('finds each Pod, and compares it through a port-forward', async () => {
    const { mesh, bridge, pages } = await start(2, []);
    for (const page of pages.values()) delete page.options.edit;
    const { code, stdout } = await run('migrate', 'verify', ...bridge, ...mesh.flags);
    expect(code).toBe(0);
    expect(stdout).toContain('istio-system/istiod-0-1');
    expect(stdout).toContain('equal: 2 istiods with the 3 resources of the bridge');
  });

  test('a Pod that is not reached is neither equal nor empty, and says why', async () => {
    const { mesh, bridge, pages } = await start(2, []);
    for (const page of pages.values()) delete page.options.edit;
    const [first] = mesh.pods;
    if (first === undefined) throw new Error('no Pod');
    first.port = { complaint: 'error forwarding port 8080 to pod: connection refused' };
    const refused = await run('migrate', 'verify', ...bridge, ...mesh.flags);
    expect([refused.code, refused.stdout]).toEqual([3, expect.stringContaining('connection refused')]);
    first.port = { status: 403 };
    const forbidden = await run('migrate', 'verify', ...bridge, ...mesh.flags);
    expect([forbidden.code, forbidden.stdout]).toEqual([3, expect.stringContaining('port-forward to Pod')]);
  });
});
