import type { ConflictPolicy, ConflictReason } from '../model/conflict.ts';
import { noRow, type ResourcePool, verdicts } from '../model/resource.ts';
import { placeTurn } from '../model/sizes.ts';
import { keyOf } from '../wire/resource-frame.ts';
import { hostsOf } from '../wire/service-entry.ts';
import type { ConflictSet } from './conflicts.ts';
import type { HoldersOf } from './shared-keys.ts';

/** Resources of one host that are shown. */
const maxShown = 20;

/** A resource that names a host, and the origin whose form of it is sent. */
type Namer = {
  readonly origin: string;
  readonly key: string;
  readonly namespace: string;
  /** Namespaces that see it: `*` = all, `.` = its own, `~` = none. */
  readonly exportTo: readonly string[];
};

/**
 * Finds the hosts that ServiceEntries of several origins name under different keys. Istiod unites the endpoints of those
 * that are in one namespace; of others, each namespace sees its own first. All are sent, whatever is found here, and
 * nothing waits for it: what changed is looked at afterwards, in turns.
 *
 * What is known is host → rows. An entry may be out of date: it counts while its row is sent and names the host.
 */
export class SharedHosts {
  readonly #kind: string;
  readonly #pool: ResourcePool;
  readonly #holders: HoldersOf;
  readonly #prefersValid: boolean;
  readonly #conflicts: ConflictSet;
  readonly #rows = new Map<string, number | Set<number>>();
  /** In all of {@link #rows}. */
  #entries = 0;
  /** Hosts about which a key has a conflict. */
  readonly #conflictsOf = new Map<string, Set<string>>();
  /** The same the other way round. */
  readonly #keysOf = new Map<string, readonly string[]>();
  /** Keys of which something else may be sent since they were looked at. */
  #touched = new Set<string>();
  #knowsAll = false;

  constructor(
    kind: string,
    pool: ResourcePool,
    holders: HoldersOf,
    { refusedGivesWay = true }: ConflictPolicy,
    conflicts: ConflictSet,
  ) {
    this.#prefersValid = refusedGivesWay;
    this.#kind = kind;
    this.#pool = pool;
    this.#holders = holders;
    this.#conflicts = conflicts;
  }

  /** Says that something else may be sent of a key. */
  touch(key: string): void {
    this.#touched.add(key);
  }

  /** Says that an origin has come: what others have said while they were alone was not touched. */
  originAdded(): void {
    this.#knowsAll = false;
  }

  /** Says that the origins come in another order: who is named first in what is known may be another one. */
  reordered(): void {
    for (const key of this.#conflictsOf.keys()) this.#touched.add(key);
  }

  /** True where there is something to look at. */
  get isDue(): boolean {
    return this.#touched.size > 0;
  }

  /**
   * Looks at what was touched; the first time, and after an origin has come, at all that is held. Yields when something else should get its turn: what
   * changes meanwhile is touched again, and there must not be two looks at a time.
   */
  *look(): Generator<void> {
    const touched = this.#touched;
    this.#touched = new Set();
    const tables = Array.from(this.#present.values(), ({ resources }) => resources);
    if (tables.length < 2) {
      this.#forgetAll();
      return;
    }
    const held = tables.reduce((sum, { size }) => sum + size, 0);
    // What left is not looked for in there, so the rest grows.
    if (this.#entries > 4 * held + placeTurn) this.#forgetEntries();
    const hosts = new Set<string>();
    let work = 0;
    for (const key of touched) {
      for (const host of this.#conflictsOf.get(key) ?? []) hosts.add(host);
      this.#note(this.#sent(key), hosts);
      if (++work % placeTurn === 0) yield;
    }
    if (!this.#knowsAll) {
      this.#knowsAll = true;
      for (const table of tables) {
        for (const row of table.rows()) {
          if (table.holds(row) && this.#sent(keyOf(this.#pool, row)) === row) this.#note(row, hosts);
          if (++work % placeTurn === 0) yield;
        }
      }
    }
    for (const host of hosts) {
      const namers: Namer[] = [];
      for (const row of this.#rowsOf(host)) {
        const namer = this.#namer(host, row);
        if (namer === undefined) this.#drop(host, row);
        else namers.push(namer);
        if (++work % placeTurn === 0) yield;
      }
      this.#judge(host, namers);
    }
  }

  get #present(): ReturnType<HoldersOf['of']> {
    return this.#holders.of(this.#kind);
  }

  /** The row whose hosts are sent of a key, as {@link SharedKeys} decides it. */
  #sent(key: string): number {
    let first = noRow;
    for (const { resources } of this.#present.values()) {
      const row = resources.get(key);
      if (row === noRow) continue;
      if (!this.#prefersValid || this.#pool.verdict(row) !== verdicts.refused) return row;
      if (first === noRow) first = row;
    }
    return first;
  }

  #rowsOf(host: string): number[] {
    const rows = this.#rows.get(host) ?? [];
    return typeof rows === 'number' ? [rows] : [...rows];
  }

  /** Adds what a row names, and those of its hosts that another one may name too to `hosts`. */
  #note(row: number, hosts: Set<string>): void {
    if (row === noRow) return;
    for (const host of hostsOf(this.#pool, row).hosts) {
      const rows = this.#rows.get(host);
      if (rows === undefined) this.#rows.set(host, row);
      else if (typeof rows !== 'number') rows.add(row);
      else if (rows !== row) this.#rows.set(host, new Set([rows, row]));
      if (rows === undefined || rows !== row) this.#entries++;
      if (rows !== undefined) hosts.add(host);
    }
  }

  #drop(host: string, row: number): void {
    const rows = this.#rows.get(host);
    this.#entries--;
    if (typeof rows === 'object') rows.delete(row);
    if (rows === row || (typeof rows === 'object' && rows.size === 0)) this.#rows.delete(host);
  }

  /** Who names a host by this row; undefined where the entry is out of date. */
  #namer(host: string, row: number): Namer | undefined {
    for (const [origin, { resources }] of this.#present) {
      if (!resources.holds(row)) continue;
      const { hosts, exportTo } = hostsOf(this.#pool, row);
      const key = keyOf(this.#pool, row);
      if (!hosts.includes(host) || this.#sent(key) !== row) return undefined;
      return { origin, key, namespace: key.slice(0, key.indexOf('/')), exportTo };
    }
    return undefined;
  }

  #judge(host: string, namers: readonly Namer[]): void {
    const reason = reasonOf(namers);
    const before = this.#conflicts.get(host);
    if (before === undefined && reason === undefined) return;
    const order = [...this.#present.keys()];
    const origins = order.filter((name) => namers.some(({ origin }) => origin === name));
    const sorted = namers.toSorted(
      (a, b) => order.indexOf(a.origin) - order.indexOf(b.origin) || compare(a.key, b.key),
    );
    const resources = sorted.slice(0, maxShown).map(({ origin, key }) => ({ origin, key }));
    this.#conflicts.set(host, reason && { reason, origins, resources });
    this.#remember(host, reason === undefined ? [] : namers);
  }

  /** Keeps whom to look at again when one of these keys changes. */
  #remember(host: string, namers: readonly Namer[]): void {
    for (const key of this.#keysOf.get(host) ?? []) {
      const hosts = this.#conflictsOf.get(key);
      hosts?.delete(host);
      if (hosts?.size === 0) this.#conflictsOf.delete(key);
    }
    const keys = namers.map(({ key }) => key);
    if (keys.length === 0) this.#keysOf.delete(host);
    else this.#keysOf.set(host, keys);
    for (const key of keys) this.#conflictsOf.set(key, (this.#conflictsOf.get(key) ?? new Set()).add(host));
  }

  #forgetEntries(): void {
    this.#rows.clear();
    this.#entries = 0;
    this.#knowsAll = false;
  }

  #forgetAll(): void {
    this.#forgetEntries();
    for (const host of this.#keysOf.keys()) this.#conflicts.set(host, undefined);
    this.#keysOf.clear();
    this.#conflictsOf.clear();
  }
}

/** What is the matter with resources that name the same host. */
function reasonOf(namers: readonly Namer[]): ConflictReason | undefined {
  const inNamespace = new Map<string, Set<string>>();
  for (const { namespace, origin } of namers) add(inNamespace, namespace, origin);
  // Istiod keeps endpoints by host and namespace, whoever may see them.
  if (anyHasTwo(inNamespace)) return 'same_host';
  const everywhere = new Set<string>();
  const named = new Map<string, Set<string>>();
  for (const { namespace, origin, exportTo } of namers) {
    if (exportTo.length === 0 || exportTo.includes('*')) everywhere.add(origin);
    else for (const name of exportTo) if (!isSelf(name, namespace)) add(named, name, origin);
  }
  if (everywhere.size > 1) return 'same_host_elsewhere';
  for (const [namespace, origins] of named) {
    // What has one of its own sees no other.
    if (inNamespace.has(namespace)) continue;
    if (new Set([...origins, ...everywhere]).size > 1) return 'same_host_elsewhere';
  }
  return undefined;
}

function isSelf(name: string, namespace: string): boolean {
  return name === '.' || name === '~' || name === namespace;
}

function anyHasTwo(sets: ReadonlyMap<string, ReadonlySet<string>>): boolean {
  for (const { size } of sets.values()) if (size > 1) return true;
  return false;
}

function add(sets: Map<string, Set<string>>, name: string, value: string): void {
  sets.set(name, (sets.get(name) ?? new Set()).add(value));
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
