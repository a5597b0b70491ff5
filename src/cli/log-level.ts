import type { Argv } from 'yargs';
import { exitCode, IsthmusError } from '../model/errors.ts';
import { isLogLevel, type LevelSettings } from '../model/log-levels.ts';
import { logComponents, logLevels } from '../model/logger.ts';
import { changeAdminPage, readAdminPage, tokenOption } from './admin-client.ts';
import { adminOption, adminUrlOf, outputOption } from './arguments.ts';
import { examples } from './examples.ts';
import { print, table } from './terminal.ts';

const path = '/debug/log-level';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 log-level [[COMPONENT] LEVEL] [options]\n\nShows what a running bridge logs. With a level, changes it, of one component or of ' +
        `all that have none of their own, until the next start.\nLevels: ${logLevels.join(', ')}`,
    )
    .positional('component', { type: 'string', describe: 'Part of the bridge, or the level of all' })
    .positional('level', { type: 'string', describe: 'The least that is logged' })
    .option('admin', adminOption)
    .option('token-file', tokenOption)
    .option('output', outputOption)
    .epilogue(
      examples(
        ['isthmus log-level', 'what is logged'],
        ['isthmus log-level sources debug', 'everything about the sources'],
        ['isthmus log-level info', 'as before, but for the sources'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

export async function handler({ component, level, admin, tokenFile, output }: Flags): Promise<number> {
  const base = adminUrlOf(admin, '--admin');
  const asked = level === undefined ? { level: component } : { component, level };
  const settings = asked.level === undefined ? await show(base) : await change(base, asked, tokenFile);
  if (output === 'json') print(JSON.stringify(settings, undefined, 2));
  else if (output === 'yaml') print((await import('yaml')).stringify(settings).trimEnd());
  else print(levelsTable(settings));
  return exitCode.ok;
}

async function show(base: URL): Promise<LevelSettings> {
  const page = await readAdminPage(base, path);
  if (page !== undefined) return page as LevelSettings;
  throw new IsthmusError('WRONG_PROTOCOL', base.origin, `there is no ${path}`, {
    hint: "is this a bridge's --admin-listen, and of this version?",
  });
}

async function change(
  base: URL,
  asked: { readonly component?: string | undefined; readonly level?: string | undefined },
  tokenFile: string | undefined,
): Promise<LevelSettings> {
  const { component, level = '' } = asked;
  if (!isLogLevel(level)) {
    throw new IsthmusError('USAGE', 'LEVEL', `"${level}" is no level`, { hint: `known: ${logLevels.join(', ')}` });
  }
  const { status, page } = await changeAdminPage(base, 'PUT', path, asked, tokenFile);
  if (status === 200) return page as LevelSettings;
  if (status === 400) {
    throw new IsthmusError('USAGE', 'COMPONENT', `"${component}" is no component`, {
      hint: `known: ${Object.keys(logComponents).join(', ')}`,
    });
  }
  throw new IsthmusError('UNREACHABLE', base.origin, `${path} answers ${status}`, {
    hint: "is this a bridge's --admin-listen, and of this version?",
  });
}

function levelsTable({ level, components }: LevelSettings): string {
  return table(
    ['COMPONENT', 'LEVEL', 'ABOUT'],
    Object.entries(logComponents).map(([component, about]) => [
      component,
      components[component as keyof typeof components] ?? level,
      about,
    ]),
  );
}
