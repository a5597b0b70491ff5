import { Intake } from '../../src/intake/intake.ts';
import type { Change } from '../../src/model/change.ts';
import type { Resource } from '../../src/model/resource.ts';
import { ResourceTable } from '../../src/wire/resource-table.ts';
import { Arena } from '../../src/wire/arena.ts';
import { contentOf, messageOf, serviceEntry } from './resources.ts';

/** An intake and what it is compared with; believes everything that a message says. */
export class SourceView {
  readonly resources = new ResourceTable();
  readonly arena = new Arena();
  readonly listed = undefined;
  readonly #intake = new Intake(serviceEntry, { defaultNamespace: 'default', namespaceIsExplicit: false });

  async take(resources: readonly Uint8Array[], options: Parameters<typeof messageOf>[1] = {}): Promise<Change> {
    const change = await this.#intake.take(messageOf(resources, options), this);
    for (const key of change.missing) this.resources.delete(key);
    for (const resource of change.upserts) this.resources.put(resource);
    return change;
  }

  /** Key → content. */
  get contents(): Record<string, string> {
    return contentsOf(this.resources.values());
  }
}

/** Key → content of resources made by test/support/resources.ts. */
export function contentsOf(resources: Iterable<Resource>): Record<string, string> {
  return Object.fromEntries(Array.from(resources, (resource) => [resource.key, contentOf(resource)]));
}
