import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { allChecks } from '../../../../migrate/checks/all.ts';
import { runChecks } from '../../../../migrate/checks/check.ts';
import { sortFindings } from '../../../../migrate/finding.ts';
import { renderText } from '../../../../migrate/report/text.ts';
import { readInputs, type SourceFile, type Unread } from '../../../../migrate/scan/files.ts';
import { scan } from '../../../../migrate/scan/scan.ts';
import { requireVersion } from '../../../../migrate/version.ts';

const folder = join(import.meta.dirname, '../../../golden/migrate/analyze');

type Golden = { readonly from?: string; readonly target?: string; readonly input?: string; readonly behind?: string };

/** Where more is known than the files say. `input` and `behind` are folders of the case. */
const options: Readonly<Record<string, Golden>> = {
  'helm-1.1': { target: '1.24.0' },
  'helm-1.1-secure': { target: '1.26' },
  'helm-1.4-values': { target: '1.16.5' },
  'operator-1.8': { target: '1.9' },
  'nacos-1': { from: '1.7', target: '1.24' },
  'nacos-2-docs': { from: '1.11', target: '1.24' },
  copilot: { from: '1.1', target: '1.26' },
  hango: { from: '1.8', target: '1.10' },
  'mcp-server-addrs': { target: '1.9' },
  'tls-1.26': { from: '1.26', target: '1.26' },
  'tls-mutual-1.26': { target: '1.30' },
  'old-objects': { from: '1.5', target: '1.9' },
  conflicts: { target: '1.24', input: 'cluster', behind: 'behind' },
  'istiod-1.10': { from: '1.10.6' },
  'external-istiod': { target: '1.30.3' },
  'service-manager': { from: '1.8.6', target: '1.8' },
};

/** With names as they are from the folder of the case. */
async function read(name: string, below?: string): Promise<{ files: SourceFile[]; unread: Unread[] }> {
  const base = join(folder, name);
  const { files, unread } = await readInputs([join(base, below ?? '')], Readable.from([]));
  const short = (file: string) => file.slice(base.length + 1);
  return {
    files: files.map(({ file, text }) => ({ file: short(file), text })),
    unread: unread.map((one) => ({ ...one, file: short(one.file) })),
  };
}

const names = readdirSync(folder);

test('there are as many as were promised, and options for none that is not there', () => {
  expect(names.length).toBeGreaterThanOrEqual(30);
  expect(Object.keys(options).filter((name) => !names.includes(name))).toEqual([]);
});

test.each(names)('the report of %s; UPDATE_GOLDEN=1 writes it', async (name) => {
  const { from, target, input, behind } = options[name] ?? {};
  const beyond = behind === undefined ? undefined : await read(name, behind);
  const scanned = scan(await read(name, input), beyond, {
    from: requireVersion(from, '--from-version'),
    target: requireVersion(target, '--to-version'),
  });
  const findings = sortFindings([...scanned.unread, ...runChecks(allChecks, scanned)]);
  const report = `${renderText({ inputs: [name], from: scanned.from, target: scanned.target, findings }, 120)}\n`;
  const file = join(folder, name, 'report.txt');
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(file, report);
  expect(report).toBe(readFileSync(file, 'utf8'));
  // The password of hosts/mesh.yaml.
  expect(report).not.toContain('secret@');
});
