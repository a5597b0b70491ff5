import { legacyTarget } from '../../src/legacy/origin.ts';
import type { SinkTarget } from '../../src/legacy/source-feed.ts';
import type { ConflictPolicy } from '../../src/model/conflict.ts';
import { Quarantine } from '../../src/quarantine/quarantine.ts';
import type { Validator } from '../../src/quarantine/validator.ts';
import { encodeResources, readResources } from '../../src/wire/legacy-messages.ts';
import { InlineValidator } from './inline-validator.ts';
import { MemoryLogger } from './memory-logger.ts';
import { serviceEntry } from './resources.ts';
import { settle } from './settle.ts';
import { noGuard, StoreLab } from './store-lab.ts';

const collection = serviceEntry.collection ?? '';

/** Sources `one`, `two` and `three`, in this order, of ServiceEntries that are looked at by the rules of Istio. */
export class JudgedLab extends StoreLab {
  readonly log = new MemoryLogger();
  readonly validator = new InlineValidator();
  readonly quarantine: Quarantine;
  readonly #targets = new Map<string, SinkTarget>();

  /** @param thread who looks. @default {@link JudgedLab.validator} */
  constructor(policy: Partial<ConflictPolicy> = {}, thread?: Validator) {
    super(noGuard, { sameKey: 'precedence', sameHost: 'ignore', ...policy });
    const { store, validator, clock, log } = this;
    this.quarantine = new Quarantine({ store, validator: thread ?? validator, clock, log });
    const rules = { defaultNamespace: 'own', namespaceIsExplicit: true };
    for (const origin of ['one', 'two', 'three']) {
      store.addOrigin(origin, [serviceEntry.id]);
      const target = legacyTarget(
        origin,
        [collection],
        rules,
        store,
        log,
        () => {},
        (...change) => this.quarantine.judge(...change),
      );
      this.#targets.set(origin, target);
    }
  }

  /** A source says that these are all its services. */
  async tell(origin: string, ...resources: readonly Uint8Array[]): Promise<void> {
    const envelope = { systemVersionInfo: '', collection, nonce: '1', incremental: false, removedResources: [] };
    const message = readResources(encodeResources({ ...envelope, resources }));
    await this.#targets.get(origin)?.accept(collection, message, true);
  }

  /** Key → host of what is sent. */
  get sent(): Record<string, string> | undefined {
    this.flush();
    return this.published(serviceEntry);
  }

  /** Lets everything be looked at that nobody has looked at. */
  async sweep(): Promise<void> {
    await this.clock.run(1000);
    for (let i = 0; i < 20; i++) await settle();
  }

  /** Key → why several sources hold it. */
  get reasons(): Record<string, string> {
    return Object.fromEntries(this.conflicts.map(({ name, reason }) => [name, reason]));
  }

  /** Keys of an origin whose form breaks a rule. */
  refused(origin: string): string[] {
    return [...this.store.holding(origin, serviceEntry.id).refused.keys()];
  }
}
