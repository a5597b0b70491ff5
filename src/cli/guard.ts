import type { Argv } from 'yargs';
import type { HoldView, ReleasedView } from '../admin/views.ts';
import { exitCode, IsthmusError } from '../model/errors.ts';
import { changeAdminPage, readAdminList, tokenOption } from './admin-client.ts';
import { adminOption, adminUrlOf, outputOption } from './arguments.ts';
import { examples } from './examples.ts';
import { print, table } from './terminal.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 guard [release] [options]\n\nShows which removals a running bridge holds because a source removed so many at ' +
        'once; exits with 1 where there are any. `release` believes them at once.',
    )
    .positional('action', { choices: ['release'] as const, describe: 'Let go what is held' })
    .option('admin', adminOption)
    .option('token-file', tokenOption)
    .option('origin', { type: 'string', nargs: 1, describe: 'Only of this source' })
    .option('collection', { type: 'string', nargs: 1, describe: 'Only of this collection, or kind' })
    .option('output', outputOption)
    .epilogue(
      examples(
        ['isthmus guard', 'what is held'],
        ['isthmus guard release --origin galley --collection ServiceEntry', 'the services are meant to be gone'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns 1 where something is held, and is not released. */
export async function handler({ action, admin, origin, collection, output, tokenFile }: Flags): Promise<number> {
  const base = adminUrlOf(admin, '--admin');
  const show = async <T>(rows: readonly T[], asTable: (rows: readonly T[]) => string) => {
    if (output === 'json') print(JSON.stringify(rows, undefined, 2));
    else if (output === 'yaml') print((await import('yaml')).stringify(rows).trimEnd());
    else print(rows.length === 0 ? 'nothing is held' : asTable(rows));
  };
  if (action === 'release') {
    await show(await release(base, { origin, collection }, tokenFile), releasedTable);
    return exitCode.ok;
  }
  const all = (await readAdminList(base, '/debug/guard')) as readonly HoldView[];
  const holds = all.filter((hold) => {
    const isKind = collection === undefined || collection === hold.kind || collection === hold.collection;
    return isKind && (origin === undefined || origin === hold.origin);
  });
  await show(holds, holdsTable);
  return holds.length > 0 ? exitCode.findings : exitCode.ok;
}

async function release(
  base: URL,
  which: { origin?: string | undefined; collection?: string | undefined },
  tokenFile: string | undefined,
) {
  const { status, page } = await changeAdminPage(base, 'POST', '/guard/release', which, tokenFile);
  const { released, error } = (page ?? {}) as { released?: readonly ReleasedView[]; error?: string };
  if (released !== undefined) return released;
  if (status === 404 && error?.includes('origin') === true) {
    throw new IsthmusError('USAGE', which.origin === undefined ? '--collection' : '--origin, --collection', error);
  }
  throw new IsthmusError('UNREACHABLE', base.origin, `/guard/release answers ${status}: ${error ?? 'nothing more'}`, {
    hint: "is this a bridge's --admin-listen?",
  });
}

/** What is held, for people. */
export function holdsTable(holds: readonly HoldView[]): string {
  return table(
    ['ORIGIN', 'COLLECTION', 'HELD', 'OF', 'WHY', 'SINCE', 'ASKED AGAIN', 'STATE'],
    holds.map((hold) => [
      hold.origin,
      hold.collection ?? hold.kind,
      String(hold.removals),
      String(hold.of),
      hold.reason,
      hold.since ?? '-',
      hold.until ?? '-',
      hold.state,
    ]),
  );
}

function releasedTable(released: readonly ReleasedView[]): string {
  return table(
    ['ORIGIN', 'COLLECTION', 'REMOVED'],
    released.map(({ origin, collection, kind, removed }) => [origin, collection ?? kind, String(removed)]),
  );
}
