import { compareItems, type Difference } from '../../src/cli/diff-compare.ts';
import { readRaw, readSide } from '../../src/cli/diff-sides.ts';
import { readLegacy } from '../../src/cli/get-legacy.ts';
import { formatHostPort, type HostPort } from '../../src/net/address.ts';
import { type AllServed, failureOf } from './replica.ts';
import type { DirectReport, ResourceReport } from './report.ts';
import type { ServedKind } from './served.ts';

/** How a legacy server's bare names are read, as the bridge does by default. */
const names = { defaultNamespace: 'default', namespaceIsExplicit: false };

/**
 * Asks a legacy server itself, as an old Pilot would, and compares what it has with what the bridge serves. What the bridge
 * serves and this server does not have is counted alone: it may be of another source.
 *
 * Dangerous on a live server: some panic at a second reader, some feed only the last one who asked.
 */
export async function askDirect(address: HostPort, served: AllServed, timeoutMs: number): Promise<DirectReport> {
  const name = `mcp://${formatHostPort(address)}`;
  const kinds = Array.from(served.values(), ({ kind }) => kind).filter(({ collection }) => collection !== undefined);
  try {
    const side = await readSide(name, kinds, (asked, reading) => readLegacy(address, asked, reading), names, timeoutMs);
    try {
      const report = { address: name, error: null, compared: true, equal: 0, notThere: 0 };
      const differences: ResourceReport[] = [];
      for (const kind of kinds) {
        const own = await readRaw(kind, rawsOf(served.get(kind.id)), names);
        const found = await compareItems(kind.kind, own.items, side.items.get(kind.id) ?? [], false);
        report.equal += found.equal;
        report.notThere += found.differences.filter((one) => one.in === 'A').length;
        differences.push(...found.differences.flatMap(reportOf));
      }
      for (const { kind, name: resource, why } of side.unreadable) {
        differences.push({ status: 'unreadable', kind, name: resource, why });
      }
      return { ...report, differences };
    } finally {
      side.close();
    }
  } catch (error) {
    return { address: name, error: failureOf(error), compared: false, equal: 0, notThere: 0, differences: [] };
  }
}

function rawsOf(served: ServedKind | undefined) {
  return Array.from(served?.resources ?? [], ([name, raw]) => ({ name, version: undefined, raw }));
}

function reportOf({ kind, name, in: where, fields }: Difference): ResourceReport[] {
  if (where === 'A') return [];
  if (where === 'B') {
    return [{ status: 'missing', kind, name, why: 'the server has it, and the bridge does not serve it' }];
  }
  const changes = fields.map(({ path, ...values }) => ({
    path,
    ...('a' in values ? { bridge: values.a } : {}),
    ...('b' in values ? { server: values.b } : {}),
  }));
  return [{ status: 'changed', kind, name, fields: changes }];
}
