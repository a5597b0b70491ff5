import { Intake, type IntakeRules } from '../../src/intake/intake.ts';
import type { Change } from '../../src/model/change.ts';
import { noRow, type Resource, ResourcePool } from '../../src/model/resource.ts';
import { readRow, readRows } from '../../src/wire/resource-frame.ts';
import { ResourceTable } from '../../src/wire/resource-table.ts';
import { Arena } from '../../src/wire/arena.ts';
import type { Snapshot } from '../../src/model/snapshot.ts';
import { viewResource } from '../../src/wire/resource-view.ts';
import { bodies } from '../../src/wire/root.ts';
import { contentOf, messageOf, serviceEntry } from './resources.ts';

/** An intake and what it is compared with; believes everything that a message says. */
export class SourceView {
  readonly pool: ResourcePool;
  readonly resources: ResourceTable;
  readonly arena = new Arena();
  readonly listed = undefined;
  readonly #intake: Intake;

  constructor(pool = new ResourcePool(), rules: Partial<IntakeRules> = {}) {
    this.pool = pool;
    this.#intake = new Intake(serviceEntry, { defaultNamespace: 'default', namespaceIsExplicit: false, ...rules });
    this.resources = new ResourceTable(pool);
  }

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

/** Addresses of the endpoints of a ServiceEntry. */
export function addressesOf(resource: Resource): string[] {
  const body = bodies().lookupType(serviceEntry.body).decode(viewResource(resource).body);
  return (body as unknown as { endpoints: { address: string }[] }).endpoints.map(({ address }) => address);
}

/** Key → the same of all that a snapshot has; nothing where there is none. */
export function addressesIn(snapshot: Snapshot | undefined): Record<string, string[]> {
  if (snapshot === undefined) return {};
  const all = readRows(snapshot.pool, snapshot.rows);
  return Object.fromEntries(Array.from(all, (resource) => [resource.key, addressesOf(resource)]));
}
