import { IsthmusError, messageOf } from '../../src/model/errors.ts';
import type { Kind } from '../../src/model/kinds.ts';
import { readContent, type ServedContent } from '../../src/schema/content.ts';
import { type Revisioned, reasonOf } from '../../src/xds/revisions.ts';
import { compareContent } from './compare.ts';
import type { HeldConfig, IstiodFacts } from './istiod.ts';
import type { IstiodReport, QuarantinedReport, Remark, ResourceReport } from './report.ts';
import type { ServedKind } from './served.ts';

/** What a bridge serves, by {@link Kind.id}. */
export type AllServed = ReadonlyMap<string, ServedKind>;

/** What one needs to know to say why istiod lacks something. */
export type Rules = Revisioned & {
  /** `Kind/namespace/name` → what the bridge says of it, where it is quarantined; undefined where nobody was asked. */
  readonly quarantined: ReadonlyMap<string, QuarantinedReport> | undefined;
};

/** What was found in one istiod. */
export type Compared = Pick<IstiodReport, 'equal' | 'elsewhere' | 'differences' | 'notCompared' | 'passedOver'>;

/** `resourceVersion` of the API server. Of a key that several config sources have, istiod shows the form of the first. */
const clusterVersion = /^\d+$/;

/** The label by which an istiod takes a resource or does not. */
const revisionLabel = 'istio.io/rev';

/** Content versions as Isthmus makes them: 96 bits in base64url. */
const bridgeVersion = /^(?=.*[\D])[\w-]{16}$/;

/** `time.Now().String()` of Go: what istiod puts in the place of a version that is not there. */
const timeVersion = /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d/;

/**
 * Compares what one istiod has with what a bridge serves, one resource after the other, in whatever order they come. Only
 * what differs is kept.
 */
export class ReplicaComparison {
  readonly #served: AllServed;
  readonly #rules: Rules;
  /** What it has from a config source that is not Kubernetes is from this bridge; by the form of its version. */
  readonly #ours: readonly RegExp[];
  readonly #seen = new Map<string, Set<string>>();
  readonly #elsewhere = new Map<string, number>();
  readonly #differences: ResourceReport[] = [];
  readonly #notCompared: Remark[] = [];
  readonly #passedOver: Remark[] = [];
  #equal = 0;

  constructor(served: AllServed, rules: Rules, facts: Pick<IstiodFacts, 'configSources'>) {
    this.#served = served;
    this.#rules = rules;
    const { configSources = [] } = facts;
    const [xds, all] = [/^xds:/i, /^(xds|fs):/i].map(
      (scheme) => configSources.filter((one) => scheme.test(one)).length,
    );
    // Another source of xds:// may be a bridge too; one of fs:// has no versions, as no istiod up to 1.11 has.
    this.#ours = [...((xds ?? 0) > 1 ? [] : [bridgeVersion]), ...(xds === 1 && all === 1 ? [timeVersion] : [])];
    for (const id of served.keys()) this.#seen.set(id, new Set());
  }

  /** Takes one resource of istiod. */
  take(held: HeldConfig): void {
    const { kind, key } = held;
    const raw = this.#served.get(kind.id)?.resources.get(key);
    if (raw === undefined) {
      this.#takeExtra(held);
      return;
    }
    this.#seen.get(kind.id)?.add(key);
    const served = this.#read(kind, key, raw);
    if (served === undefined) return;
    const { fields, passedOver, unseen } = compareContent(kind, served, held);
    const name = { kind: kind.kind, name: key };
    if (clusterVersion.test(held.version)) {
      const why = 'it is in the cluster and behind the bridge at once, and istiod takes that of the cluster';
      this.#differences.push({ status: 'shadowed', ...name, why, ...(fields.length === 0 ? {} : { fields }) });
      return;
    }
    if (passedOver.length > 0) this.#passedOver.push({ ...name, what: passedOver });
    if (fields.length > 0) {
      const refused = this.#refusalOf(kind, key);
      const why = refused === undefined ? {} : { why: `istiod keeps the form before this one: ${refused}` };
      this.#differences.push({ status: refused === undefined ? 'changed' : 'refused', ...name, ...why, fields });
      return;
    }
    this.#equal++;
    if (unseen.length > 0) this.#notCompared.push({ ...name, what: unseen });
  }

  /** After the last one: what istiod does not have. */
  finish(): Compared {
    for (const [id, { kind, resources }] of this.#served) {
      const seen = this.#seen.get(id);
      if (seen === undefined || seen.size === resources.size) continue;
      for (const [key, raw] of resources) if (!seen.has(key)) this.#addMissing(kind, key, raw);
    }
    return {
      equal: this.#equal,
      elsewhere: Object.fromEntries(this.#elsewhere),
      differences: this.#differences.sort(byKindAndName),
      notCompared: this.#notCompared,
      passedOver: this.#passedOver,
    };
  }

  /** Undefined where its bytes can't be read, which is noted. */
  #read(kind: Kind, key: string, raw: Buffer): ServedContent | undefined {
    try {
      return readContent(kind, raw);
    } catch (error) {
      this.#differences.push({ status: 'unreadable', kind: kind.kind, name: key, why: messageOf(error) });
      return undefined;
    }
  }

  #takeExtra({ kind, key, version }: HeldConfig): void {
    if (this.#served.has(kind.id) && this.#ours.some((form) => form.test(version))) {
      const why = 'istiod has it from a config source, and the bridge does not serve it (any more)';
      this.#differences.push({ status: 'extra', kind: kind.kind, name: key, why });
      return;
    }
    this.#elsewhere.set(kind.kind, (this.#elsewhere.get(kind.kind) ?? 0) + 1);
  }

  #addMissing(kind: Kind, key: string, raw: Buffer): void {
    const served = this.#read(kind, key, raw);
    if (served === undefined) return;
    const name = { kind: kind.kind, name: key };
    const revision = served.labels[revisionLabel];
    const reason = revision === undefined ? 'label_ignored' : reasonOf(revision, this.#rules);
    const label = `its label ${revisionLabel} is ${JSON.stringify(revision)}`;
    if (reason === 'other_revision' || reason === 'no_revision') {
      this.#differences.push({ status: 'byRevision', ...name, why: `${label}, so this istiod leaves it out` });
      return;
    }
    const refused = this.#refusalOf(kind, key);
    if (refused !== undefined) {
      this.#differences.push({ status: 'refused', ...name, why: `istiod does not take it: ${refused}` });
      return;
    }
    const isDoubtful = reason === 'unknown_revision' || reason === 'unknown_version';
    const doubt = `${label}; where this istiod has another revision it leaves it out: --revision and --to-version tell`;
    this.#differences.push({ status: 'missing', ...name, ...(isDoubtful ? { why: doubt } : {}) });
  }

  /** Why istiod may refuse a resource that the bridge sends all the same. */
  #refusalOf(kind: Kind, key: string): string | undefined {
    const found = this.#rules.quarantined?.get(`${kind.kind}/${key}`);
    return found?.sent === 'as_received' ? found.message : undefined;
  }
}

function byKindAndName(a: ResourceReport, b: ResourceReport): number {
  const [one, other] = [`${a.kind}/${a.name}`, `${b.kind}/${b.name}`];
  return one < other ? -1 : one > other ? 1 : 0;
}

/** Of an error that is one of ours: what it says, and what to do. @param why what else is known of it */
export function failureOf(error: unknown, why?: string): { message: string; hint: string | null } {
  const message = why === undefined ? messageOf(error) : `${messageOf(error)} (${why})`;
  return { message, hint: error instanceof IsthmusError ? (error.hint ?? null) : null };
}
