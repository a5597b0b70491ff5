import { statSync } from 'node:fs';
import type { Argv } from 'yargs';
import { watchFolder } from '../legacy/folder.ts';
import { SourceServer } from '../legacy/source-server.ts';
import { IsthmusError, messageOf } from '../model/errors.ts';
import { formatHostPort, parseHostPort } from '../net/address.ts';
import { examples } from './examples.ts';
import { interrupted, say } from './terminal.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage('$0 legacy-server FOLDER [options]\n\nServes a folder of Istio YAML as Galley did, and watches it.')
    .positional('folder', { type: 'string', demandOption: true, describe: 'Folder with .yaml, .yml and .json files' })
    .option('listen', { type: 'string', default: '127.0.0.1:9901', describe: 'Address' })
    .epilogue(
      examples(
        ['isthmus legacy-server examples/services', 'the services of the examples'],
        ['isthmus serve --source demo=mcp://127.0.0.1:9901', 'and a bridge that asks it'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

export async function handler({ folder, listen }: Flags): Promise<void> {
  const address = parseHostPort(listen, '--listen');
  requireFolder(folder);
  const signal = interrupted();
  const server = new SourceServer(new Map());
  const close = await watchFolder(folder, {
    onView(view, resources) {
      server.update(view);
      say(`serving ${resources} resources of ${folder}`);
    },
    onFinding: (line) => say(`warning: ${line}`),
  });
  try {
    const port = await server.listen(address);
    say(`legacy MCP server on mcp://${formatHostPort({ ...address, port })}`);
    await signal;
  } finally {
    await close();
    await server.stop(2000);
  }
}

function requireFolder(folder: string): void {
  let isFolder: boolean;
  try {
    isFolder = statSync(folder).isDirectory();
  } catch (error) {
    const isMissing = (error as NodeJS.ErrnoException).code === 'ENOENT';
    const what = isMissing ? 'there is no such folder' : messageOf(error);
    throw new IsthmusError('USAGE', folder, what, { cause: error });
  }
  if (!isFolder) throw new IsthmusError('USAGE', folder, 'is a file; a folder is expected');
}
