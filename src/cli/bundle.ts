import { existsSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import type { Argv } from 'yargs';
import type { ConflictPage, OriginView, QuarantineView, SnapshotView, StateReport } from '../admin/views.ts';
import type { SinkStreamView } from '../legacy/source-listener.ts';
import { exitCode, IsthmusError, messageOf } from '../model/errors.ts';
import { packageVersion } from '../model/package.ts';
import { isRecord } from '../model/record.ts';
import { sizeText } from '../model/texts.ts';
import type { StreamView } from '../xds/ads-server.ts';
import { adminOption, adminUrlOf } from './arguments.ts';
import { archiveOf } from './bundle-archive.ts';
import { type BundleFile, type BundleReading, readBundle } from './bundle-pages.ts';
import { readmeOf } from './bundle-readme.ts';
import { redactText } from './bundle-redact.ts';
import { examples } from './examples.ts';
import { render, statusOf } from './status.ts';
import { say } from './terminal.ts';

export function builder(yargs: Argv) {
  return yargs
    .usage(
      '$0 bundle [options]\n\nPuts what support needs of a running bridge into one file: debug pages, metrics, config, ' +
        'findings, the newest lines of the log. Without secrets, and without bodies of resources; names of ' +
        'resources and hosts are in it. Exits with 1 where a page could not be read: the file is written all the same.',
    )
    .option('admin', adminOption)
    .option('output', {
      alias: 'o',
      type: 'string',
      nargs: 1,
      describe: 'File to write [default: isthmus-bundle-TIME.tar.gz]',
    })
    .option('force', { type: 'boolean', default: false, describe: 'Write over a file that is there' })
    .epilogue(
      examples(
        ['isthmus bundle', 'the bridge on this host'],
        ['isthmus bundle --admin http://127.0.0.1:15480 -o support.tar.gz', 'another name'],
      ),
    );
}

type Flags = Awaited<ReturnType<typeof builder>['argv']>;

/** @returns 1 where something is missing in it. */
export async function handler({ admin, output, force }: Flags): Promise<number> {
  const base = adminUrlOf(admin, '--admin');
  const at = new Date();
  const folder = `isthmus-bundle-${at.toISOString().slice(0, 19).replaceAll(/[-:]/g, '').replace('T', '-')}`;
  const path = output ?? `${folder}.tar.gz`;
  if (!force && existsSync(path)) {
    throw new IsthmusError('USAGE', path, 'there is such a file already', {
      hint: 'give another name with -o, or --force',
    });
  }
  const reading = await readBundle(base);
  const summary = summaryOf(reading);
  const missing = [...reading.missing, ...summary.missing];
  const versions = { bridge: reading.version, command: packageVersion(), node: process.version, at: at.toISOString() };
  const files: BundleFile[] = [
    { name: 'README.txt', text: readmeOf(versions, [...reading.unknown, ...missing]) },
    { name: 'version.json', text: `${JSON.stringify(versions, undefined, 1)}\n` },
    ...summary.files,
    ...reading.files,
  ];
  const bytes = await archiveOf(files, folder, at);
  try {
    await writeFileAtomic(path, bytes, { mode: 0o600 });
  } catch (error) {
    throw new IsthmusError('STATE_UNWRITABLE', path, `it can't be written: ${messageOf(error)}`, { cause: error });
  }
  say(`${path}: ${files.length} files, ${sizeText(bytes.length)}; look through it before you give it away`);
  for (const one of missing) say(`warning: ${one}`);
  return missing.length > 0 ? exitCode.findings : exitCode.ok;
}

/** The status as `isthmus status` shows it, and what is not as it should be; of what was read, so without secrets. */
function summaryOf({ pages }: BundleReading): { files: BundleFile[]; missing: string[] } {
  const listOf = <T>(path: string) => (pages.get(path)?.[0] ?? []) as T[];
  const pageOf = (path: string) => pages.get(path)?.[0];
  try {
    const conflicts = pageOf('/debug/conflicts') as ConflictPage | undefined;
    const status = statusOf(
      {
        origins: listOf<OriginView>('/debug/origins'),
        snapshot: listOf<SnapshotView>('/debug/snapshot'),
        streams: listOf<StreamView>('/debug/streams'),
        sinks: listOf<SinkStreamView>('/debug/sinks'),
        quarantine: (pages.get('/debug/quarantine') ?? []).flatMap((page) =>
          isRecord(page) ? (page['resources'] as QuarantineView[]) : [],
        ),
        conflicts: conflicts ?? { counts: [], conflicts: [] },
        state: (pageOf('/debug/state') ?? null) as StateReport | null,
      },
      pageOf('/debug/config') ?? {},
    );
    const findings =
      status.findings.length === 0 ? 'all is well\n' : status.findings.map((one) => `- ${one}\n`).join('');
    const files = [
      { name: 'findings.txt', text: redactText(findings) },
      { name: 'status.txt', text: redactText(`${render(status)}\n`) },
    ];
    return { files, missing: [] };
  } catch (error) {
    // Pages of another version.
    const what = redactText(`the findings can't be told from the pages: ${messageOf(error)}`);
    return { files: [{ name: 'findings.txt', text: `${what}\n` }], missing: [what] };
  }
}
