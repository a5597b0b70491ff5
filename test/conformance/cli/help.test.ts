import { describe, expect, test } from 'vitest';
import { Cli, failure, run } from '../../support/cli.ts';

const verbs = [
  'serve',
  'get',
  'diff',
  'status',
  'bundle',
  'log-level',
  'check',
  'capture',
  'replay',
  'legacy-server',
  'demo',
];
const migrateVerbs = ['analyze', 'plan', 'patch', 'rollback'];

describe('--help', () => {
  test('lists every verb, and what exit codes mean', async () => {
    const { code, stdout, stderr } = await run('--help');
    expect([code, stderr]).toEqual([0, '']);
    for (const verb of [...verbs, 'migrate']) expect(stdout).toMatch(new RegExp(`^ +isthmus ${verb}\\b`, 'm'));
    expect(stdout).toContain('Exit codes: 0 ok, 1 findings, 2 usage, 3 environment');
  });

  test('of migrate lists its verbs', async () => {
    const { stdout } = await run('migrate', '--help');
    for (const verb of migrateVerbs) expect(stdout).toMatch(new RegExp(`^ +isthmus migrate ${verb}\\b`, 'm'));
  });

  test.each([...verbs, ...migrateVerbs.map((verb) => `migrate ${verb}`)])(
    'of %s holds examples, each command on a line of its own',
    async (verb) => {
      const { code, stdout, stderr } = await run(...verb.split(' '), '--help');
      expect([code, stderr]).toEqual([0, '']);
      expect(stdout).toMatch(new RegExp(`^isthmus ${verb}\\b`));
      const lines = stdout.slice(stdout.indexOf('Examples:')).trimEnd().split('\n').slice(1);
      expect(lines.filter((_, index) => index % 2 === 0).join('\n')).toMatch(/^(  # .+\n?)+$/);
      expect(lines.filter((_, index) => index % 2 === 1).join('\n')).toMatch(/^(  (.+ \| )?isthmus .+\n?)+$/);
      expect(lines.join('\n')).toMatch(new RegExp(`^  isthmus ${verb}\\b`, 'm'));
    },
  );
});

test('--version is the version, and nothing else', async () => {
  expect(await run('--version')).toEqual({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/), stderr: '' });
});

describe('what nobody can run is exit code 2, with what to do', () => {
  test.each([
    ['no verb', [], 'give a command'],
    ['an unknown verb', ['bridge'], 'Unknown argument: bridge'],
    ['an unknown flag', ['serve', '--sauce', 'x'], 'Unknown argument: sauce'],
    ['an argument too many', ['serve', 'now'], 'Unknown argument: now'],
    ['an argument too few', ['get'], 'Not enough'],
    ['a flag without its value', ['serve', '--source'], 'Not enough arguments following: source'],
    ['a choice that is none', ['status', '-o', 'xml'], 'Invalid values'],
  ])('%s', async (_what, args, message) => {
    const { code, stderr } = await failure(...args);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^isthmus: command line: /);
    expect(stderr).toContain(message);
    expect(stderr).toContain('--help');
  });
});

test('there are no colours where no terminal is, not even in CI', async () => {
  const cli = new Cli(['get', 'nowhere'], { CI: 'true', TERM: 'xterm-256color' });
  expect(await cli.end()).toEqual({ code: 2, signal: null });
  expect(cli.stderr).toBe(
    'isthmus: ADDR: "nowhere" has no scheme that is known\n  write xds://HOST:PORT, http://HOST:PORT or mcp://HOST:PORT\n',
  );
});
