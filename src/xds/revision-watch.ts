import type { CensusView } from '../model/census.ts';
import type { LabelReason } from '../model/label-reasons.ts';
import type { Clock, Timer } from '../model/clock.ts';
import type { Logger } from '../model/logger.ts';
import type { StreamView } from './ads-server.ts';
import type { LabelFate, LabelledView } from './revisions.ts';

/** Time that a new stream has to say what it wants, and a burst of changes to be over. */
const firstLookMs = 1000;

/** Between two looks, at least: what nobody has asked for may cost nothing that one could notice. */
const everyMs = 30_000;

/** istiods of which it is known what was said; more than there are streams. */
const maxRemembered = 1000;

/** Names in a line of the log; the pages have more. */
const maxExamples = 5;

const said: Readonly<Record<LabelFate, string>> = {
  dropped: 'an istiod drops resources because of their label istio.io/rev',
  'may be dropped': 'an istiod may drop resources because of their label istio.io/rev',
  taken: 'an istiod takes resources although their label istio.io/rev may name another revision',
};

/** What there is to do; nothing where it is as it should be. */
const hints: Readonly<Partial<Record<LabelReason, string>>> = {
  no_revision: 'give this istiod a revision (REVISION), or take the label away at the source; see docs/revisions.md',
  other_revision: 'all is well where an istiod of that revision is served too; /debug/streams has the names',
  unknown_revision: 'say which one it is with istiod.revision; /debug/streams has the names',
  unknown_version: 'say which one it is with istiod.version; /debug/streams has the names',
};

export type RevisionWatchOptions = {
  readonly clock: Clock;
  readonly log: Logger;
  readonly census: CensusView;
  readonly streams: () => readonly StreamView[];
};

/**
 * Tells the operator once, for each istiod and reason, that resources are dropped because of their label `istio.io/rev`;
 * again where that had ended meanwhile. Istiods are told apart by their names, since their streams end every few minutes.
 */
export class RevisionWatch {
  readonly #options: RevisionWatchOptions;
  /** Node id → what was said. */
  readonly #said = new Map<string, ReadonlySet<LabelReason>>();
  #timer: Timer | undefined;
  #lastLook = Number.NEGATIVE_INFINITY;
  #closed = false;

  constructor(options: RevisionWatchOptions) {
    this.#options = options;
  }

  /** Resources or streams are others now: looks at them soon. */
  poke(): void {
    const { clock, log, streams } = this.#options;
    if (this.#closed || this.#timer !== undefined || streams().length === 0) return;
    const now = clock.now();
    const at = Math.max(now + firstLookMs, this.#lastLook + everyMs);
    this.#timer = clock.after(at - now, () => {
      this.#timer = undefined;
      this.#lastLook = clock.now();
      this.#look().catch((err: unknown) => log.error({ err }, 'labels istio.io/rev could not be counted'));
    });
  }

  close(): void {
    this.#closed = true;
    this.#timer?.cancel();
  }

  async #look(): Promise<void> {
    const { census, streams } = this.#options;
    const isCurrent = await census.refresh();
    if (this.#closed) return;
    if (!isCurrent) this.poke();
    const now = new Map<string, Set<LabelReason>>();
    for (const stream of streams()) {
      const reasons = now.get(stream.node) ?? new Set();
      now.set(stream.node, reasons);
      for (const [reason, views] of byReason(stream.labelled)) {
        if (!reasons.has(reason) && this.#said.get(stream.node)?.has(reason) !== true) this.#log(stream, reason, views);
        reasons.add(reason);
      }
    }
    for (const [node, reasons] of now) this.#remember(node, reasons);
  }

  #remember(node: string, reasons: ReadonlySet<LabelReason>): void {
    // At the end of the map are those that were there last.
    this.#said.delete(node);
    this.#said.set(node, reasons);
    const [oldest] = this.#said.keys();
    if (this.#said.size > maxRemembered && oldest !== undefined) this.#said.delete(oldest);
  }

  #log({ node, version, revision }: StreamView, reason: LabelReason, views: readonly LabelledView[]): void {
    const [first] = views;
    if (first === undefined) return;
    const hint = hints[reason];
    const fields = {
      node,
      version,
      revision,
      reason,
      resources: Object.fromEntries(views.map(({ kind, resources }) => [kind, resources])),
      labels: [...new Set(views.flatMap(({ labels }) => Object.keys(labels)))].slice(0, maxExamples),
      examples: views.flatMap(({ kind, names }) => names.map((name) => `${kind} ${name}`)).slice(0, maxExamples),
      ...(hint === undefined ? {} : { hint }),
    };
    const text = `${said[first.fate]}: ${first.why}`;
    if (first.fate === 'taken') this.#options.log.info(fields, text);
    else this.#options.log.warn(fields, text);
  }
}

function byReason(views: readonly LabelledView[]): Map<LabelReason, LabelledView[]> {
  const groups = new Map<LabelReason, LabelledView[]>();
  for (const view of views) {
    const group = groups.get(view.reason);
    if (group === undefined) groups.set(view.reason, [view]);
    else group.push(view);
  }
  return groups;
}
