import { Intake } from '../../src/intake/intake.ts';
import type { Change } from '../../src/model/change.ts';
import { noRow, type Resource, ResourcePool } from '../../src/model/resource.ts';
import { readRow, readRows } from '../../src/wire/resource-frame.ts';
import { ResourceTable } from '../../src/wire/resource-table.ts';
import { Arena } from '../../src/wire/arena.ts';
import { contentOf, messageOf, serviceEntry } from './resources.ts';

/** An intake and what it is compared with; believes everything that a message says. */
export class SourceView {
  readonly pool = new ResourcePool();
  readonly resources = new ResourceTable(this.pool);
  readonly arena = new Arena();
  readonly listed = undefined;
  readonly #intake = new Intake(serviceEntry, { defaultNamespace: 'default', namespaceIsExplicit: false });

  async take(resources: readonly Uint8Array[], options: Parameters<typeof messageOf>[1] = {}): Promise<Change> {
    const change = await this.#intake.take(messageOf(resources, options), this);
    for (const key of change.missing) this.#retire(this.resources.delete(key));
    for (const row of change.upserts) this.#retire(this.resources.put(row));
    return change;
  }

  #retire(row: number): void {
    if (row !== noRow) this.pool.retire(row);
  }

  /** Key → content. */
  get contents(): Record<string, string> {
    return contentsOf(heldBy(this.resources));
  }

  /** The new and changed resources of a change. */
  upserts(change: Change): Resource[] {
    return change.upserts.map((row) => readRow(this.pool, row));
  }
}

/** What a table holds, in no order. */
export function heldBy(table: ResourceTable): Resource[] {
  return [...readRows(table.pool, table.values())];
}

/** Key → content of resources made by test/support/resources.ts. */
export function contentsOf(resources: Iterable<Resource>): Record<string, string> {
  return Object.fromEntries(Array.from(resources, (resource) => [resource.key, contentOf(resource)]));
}
