import { afterEach, describe, expect, it, vi } from 'vitest';
import { exitCode, IsthmusError } from '../../../src/model/errors.ts';
import { openCluster } from '../../../src/kube/cluster.ts';
import { kubeconfigText } from '../../support/fake-kube-api.ts';
import { tempFolder } from '../../support/temp-folder.ts';

const secret = { token: 'secret-token' };

async function errorOf(run: Promise<unknown>): Promise<IsthmusError> {
  const error = await run.then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof IsthmusError)) throw new Error(`no IsthmusError: ${String(error)}`);
  expect(error.exitCode).toBe(exitCode.usage);
  expect(`${error.message} ${error.hint}`).not.toContain('secret');
  return error;
}

afterEach(() => {
  vi.unstubAllEnvs();
});

describe('a kubeconfig', () => {
  it('that is named comes first, then those of KUBECONFIG, then that of the home folder', async () => {
    const folder = tempFolder({
      named: kubeconfigText('https://named', secret),
      one: kubeconfigText('https://one', secret),
      two: kubeconfigText('https://two', secret).replaceAll('test', 'second'),
      'home/.kube/config': kubeconfigText('https://home', secret),
    });
    vi.stubEnv('HOME', `${folder}/home`);
    vi.stubEnv('KUBECONFIG', '');
    expect((await openCluster({})).server).toBe('https://home');
    vi.stubEnv('KUBECONFIG', `${folder}/absent:${folder}/one:${folder}/two:${folder}/named`);
    expect((await openCluster({})).server).toBe('https://one');
    expect((await openCluster({ context: 'second' })).server).toBe('https://two');
    expect((await openCluster({ kubeconfig: `${folder}/named` })).server).toBe('https://named');
  });

  it('does not say in which namespace istiod is', async () => {
    const text = kubeconfigText('https://a', secret).replace('user: tester\n', 'user: tester\n      namespace: team\n');
    const kubeconfig = `${tempFolder({ config: text })}/config`;
    expect((await openCluster({ kubeconfig })).namespace).toBe('istio-system');
    expect((await openCluster({ kubeconfig, namespace: 'mesh' })).namespace).toBe('mesh');
  });

  it('may name a file with the token', async () => {
    const folder = tempFolder({ config: kubeconfigText('https://a', { tokenFile: 'token' }), token: 'secret\n' });
    const { config } = await openCluster({ kubeconfig: `${folder}/config` });
    expect(config.getCurrentUser()?.token).toBe('secret');
  });

  it('is not shown by a warning of the YAML reader', async () => {
    const warnings: string[] = [];
    const listen = (warning: Error) => warnings.push(warning.message);
    process.on('warning', listen);
    const text = kubeconfigText('https://a', secret).replace('token: ', 'token: !odd ');
    const kubeconfig = `${tempFolder({ config: text })}/config`;
    expect((await openCluster({ kubeconfig })).server).toBe('https://a');
    await new Promise((resolve) => setImmediate(resolve));
    process.off('warning', listen);
    expect(warnings.join('\n')).not.toContain('secret');
  });

  it('has to be somewhere', async () => {
    vi.stubEnv('HOME', tempFolder());
    vi.stubEnv('KUBECONFIG', '');
    const error = await errorOf(openCluster({}));
    expect(error.message).toBe('kubeconfig: there is none: no --kubeconfig, no KUBECONFIG, no ~/.kube/config');
  });

  it.each([
    ['absent', undefined, /can’t be read: ENOENT/],
    ['broken', 'users:\n- user: {token: secret-token\n', /is no readable YAML: see line/],
    ['something else', 'meshConfig: {}\n', /is no kubeconfig: it has no clusters/],
    ['half', 'clusters: [{name: a}]\n', /is no whole kubeconfig: clusters\[0\]\.cluster is missing/],
    [
      'without a current context',
      kubeconfigText('https://a', secret).replace(/^current-context.*\n/m, ''),
      /no current context/,
    ],
    [
      'with a current context that is left empty',
      kubeconfigText('https://a', secret).replace(/^current-context.*$/m, 'current-context:'),
      /no current context/,
    ],
    [
      'with a number as current context',
      kubeconfigText('https://a', secret).replace(/^current-context.*$/m, 'current-context: 5'),
      /is no whole kubeconfig: current-context is no text/,
    ],
    [
      'with a number as the name of a context',
      kubeconfigText('https://a', secret).replace('- name: test\n    context', '- name: 5\n    context'),
      /is no whole kubeconfig: the name of a context is no text/,
    ],
    [
      'with a context of no cluster',
      kubeconfigText('https://a', secret).replace('cluster: test', 'cluster: gone'),
      /names cluster "gone", which it does not have/,
    ],
  ])('that is %s is said so', async (_, text, message) => {
    const folder = tempFolder(text === undefined ? {} : { config: text });
    expect((await errorOf(openCluster({ kubeconfig: `${folder}/config` }))).message).toMatch(message);
  });

  it('has no context of that name', async () => {
    const folder = tempFolder({ config: kubeconfigText('https://a', secret) });
    const error = await errorOf(openCluster({ kubeconfig: `${folder}/config`, context: 'tset' }));
    expect(error.message).toBe('--context: there is no context "tset"');
    expect(error.hint).toBe('do you mean test? there is test');
  });
});
