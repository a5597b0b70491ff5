import type { SourceState, SourceView } from '../../src/legacy/source.ts';
import { type Collection, knownCollections } from '../../src/model/kinds.ts';
import { legacyResource, serviceEntry, workloadEntry } from './resources.ts';

/** What a source has, as name → content of its ServiceEntries; see {@link legacyResource}. */
export type Entries = Readonly<Record<string, string>>;

let revision = 0;

/** Bytes in a new state: of another version than any before. */
function stateOf(resources: readonly Uint8Array[]): SourceState {
  return { version: String(++revision), resources };
}

/** A source that knows every collection and has not read any: it stays silent, as Istio's does at an empty version. */
export function silentView(): SourceView {
  return new Map(knownCollections.map((collection) => [collection, { version: '', resources: [] }]));
}

/** The same of a source with these ServiceEntries, as bytes. */
export function viewOfResources(entries: readonly Uint8Array[]): SourceView {
  const view = new Map<Collection, SourceState>(knownCollections.map((collection) => [collection, stateOf([])]));
  return view.set(serviceEntry.collection ?? '', stateOf(entries));
}

/** The whole state of a source: ServiceEntries, WorkloadEntries as bytes, and nothing of the other kinds. */
export function viewOf(entries: Entries, workloads: readonly Uint8Array[] = []): SourceView {
  const view = new Map<Collection, SourceState>(knownCollections.map((collection) => [collection, stateOf([])]));
  const resources = Object.entries(entries).map(([name, content]) => legacyResource(name, content));
  view.set(serviceEntry.collection ?? '', stateOf(resources));
  view.set(workloadEntry.collection ?? '', stateOf(workloads));
  return view;
}
