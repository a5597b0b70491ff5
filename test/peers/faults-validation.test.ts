import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, it } from 'vitest';
import { quarantineReasons } from '../../src/model/change.ts';
import { knownCollections } from '../../src/model/kinds.ts';
import { encodeMessage, LegacySource, type SourceStream } from '../support/legacy-source.ts';
import { mcpResource } from '../support/istiod/wire.ts';
import { validationCases } from '../support/validation/all.ts';
import { type IstiodVersion, istiods as versions, type ValidationCase } from '../support/validation/case.ts';
import { bodyAndViolations, kindNamed } from '../support/validation/found.ts';
import { missedRows } from '../support/validation/missed.ts';
import { field } from '../support/wire-bytes.ts';
import { Isthmus } from './support/isthmus.ts';
import { Istiod } from './support/istiod.ts';
import { useLab } from './support/lab.ts';
import type { HeldConfig } from './support/manifest.ts';
import { describeWithPeers } from './support/peers.ts';
import { until } from './support/until.ts';

/** A case under a name of its own, and the good resource whose place it takes. */
type Written = {
  readonly case: ValidationCase;
  /** "namespace/name": of the resource that was good before, and of one that never was. */
  readonly replaced: string;
  readonly fresh: string;
  /** A spec of this kind that everybody takes. */
  readonly good: object;
  /** False where the name itself is what is wrong. */
  readonly canBeGood: boolean;
  /** Whether the case says just the same as the good one. */
  readonly isSame: boolean;
};

function goodSpecOf(kind: string): object {
  const good = validationCases.find(
    (one) => one.kind === kind && one.refusedBy.length === 0 && !one.subject.annotations,
  );
  if (good === undefined) throw new Error(`no good ${kind}`);
  return good.spec;
}

const written: readonly Written[] = validationCases.map((one, index) => {
  const { namespace, name } = one.subject;
  const good = goodSpecOf(one.kind);
  const kind = kindNamed(one.kind);
  const { body, violations } = bodyAndViolations(kind, { namespace, name }, good) ?? {};
  const own = bodyAndViolations(kind, one.subject, one.spec)?.body;
  return {
    case: one,
    replaced: `${namespace}/${name}-${index}`,
    fresh: `${namespace}/${name}-new-${index}`,
    good,
    canBeGood: violations?.length === 0,
    isSame: one.subject.annotations === undefined && body !== undefined && own?.equals(body) === true,
  };
});

function resourceBytes(kindName: string, name: string, spec: object, annotations: object = {}): Buffer {
  const kind = kindNamed(kindName);
  const [namespace = '', plain = ''] = name.split('/');
  const found = bodyAndViolations(kind, { namespace, name: plain }, spec);
  if (found === undefined) throw new Error(`${kindName} ${name} can't be encoded`);
  const metadata = { name, annotations, createTime: { seconds: 1_600_000_000 } };
  const body = { type_url: `type.googleapis.com/${kind.body}`, value: found.body };
  return field(3, mcpResource.encode({ metadata, body }));
}

/** A legacy server of every kind. */
class AllKinds {
  readonly #source: LegacySource;
  #state: ReadonlyMap<string, readonly Buffer[]> = new Map();
  #nonce = 0;

  private constructor(source: LegacySource) {
    this.#source = source;
    source.onStream = (stream) => {
      stream.open();
      stream.onRequest = ({ collection, responseNonce }) => {
        if (responseNonce === '') this.#say(stream, collection);
      };
    };
  }

  static async listen(): Promise<AllKinds> {
    return new AllKinds(await LegacySource.listen());
  }

  get port(): number {
    return this.#source.port;
  }

  /** Says these, by their kind, to all who have asked. */
  publish(resources: readonly (readonly [kind: string, bytes: Buffer])[]): void {
    const state = new Map<string, Buffer[]>();
    for (const [kind, bytes] of resources) {
      const collection = kindNamed(kind).collection ?? '';
      state.set(collection, [...(state.get(collection) ?? []), bytes]);
    }
    this.#state = state;
    for (const stream of this.#source.streams) {
      if (!stream.closed) for (const collection of new Set(stream.asked)) this.#say(stream, collection);
    }
  }

  async close(): Promise<void> {
    await this.#source.kill();
  }

  #say(stream: SourceStream, collection: string): void {
    const nonce = String(++this.#nonce);
    const head = encodeMessage({ collection, nonce, systemVersionInfo: nonce });
    stream.sendBytes(Buffer.concat([head, ...(this.#state.get(collection) ?? [])]));
  }
}

/** Whether Isthmus itself looks for what breaks the rules of Istio. */
const semanticQuarantine = quarantineReasons.some((reason) => reason.startsWith('invalid_'));

type QuarantinePage = { readonly resources: readonly { readonly kind: string; readonly resource: string }[] };
type Held = ReadonlyMap<string, HeldConfig>;

const keyOf = (one: Written, name: string): string => `${one.case.kind}/${name}`;
const refuses = (version: IstiodVersion, one: Written): boolean => one.case.refusedBy.includes(version);

const page = readFileSync(join(import.meta.dirname, '../../docs/validation-missed.md'), 'utf8');

describeWithPeers('Good and bad resources of every kind, through Isthmus', ['istiod', 'istiod-1.16.5'], (binaries) => {
  const lab = useLab();
  let source: AllKinds;
  let isthmus: Isthmus;
  const istiods = new Map<IstiodVersion, Istiod>();
  const first = new Map<IstiodVersion, Held>();
  const last = new Map<IstiodVersion, Held>();

  beforeAll(async () => {
    source = await AllKinds.listen();
    lab.onClose(() => source.close());
    isthmus = await Isthmus.create(lab, {
      sourcePort: source.port,
      source: { collections: [...knownCollections] },
      guardHold: '5m',
    });
    const address = `xds://127.0.0.1:${isthmus.xdsPort}` as const;
    istiods.set('1.24.0', await Istiod.create(lab, binaries.istiod, address, 'istiod-1.24.0'));
    istiods.set('1.16.5', await Istiod.create(lab, binaries['istiod-1.16.5'], address, 'istiod-1.16.5'));
    source.publish(written.map((one) => [one.case.kind, resourceBytes(one.case.kind, one.replaced, one.good)]));
    await isthmus.start();
    await Promise.all(Array.from(istiods.values(), (istiod) => istiod.start()));
  });

  /** What each istiod holds, once `differ` finds nothing to say about it. */
  async function settle(into: Map<IstiodVersion, Held>, differ: (version: IstiodVersion, held: Held) => string[]) {
    for (const version of versions) {
      const held = await until(`istiod ${version} holds what it should`, async () => {
        const now = (await istiods.get(version)?.configz()) ?? new Map<string, HeldConfig>();
        const found = differ(version, now);
        if (found.length > 0) throw new Error(found.slice(0, 20).join('\n'));
        return now;
      });
      into.set(version, held);
    }
  }

  it('the good ones are in both istiods', async () => {
    expect(written.length).toBeGreaterThan(300);
    expect(new Set(written.map((one) => one.case.kind)).size).toBe(knownCollections.length);
    await settle(first, (_version, held) =>
      written.flatMap((one) => {
        const key = keyOf(one, one.replaced);
        return held.has(key) === one.canBeGood ? [] : [`${key}: ${one.case.title}: there: ${held.has(key)}`];
      }),
    );
  });

  it('each istiod then lacks what is written down that it refuses, keeps the form before it, and takes all else', async () => {
    source.publish(
      written.flatMap((one) => {
        const { kind, spec, subject } = one.case;
        return [one.replaced, one.fresh].map(
          (name) => [kind, resourceBytes(kind, name, spec, subject.annotations)] as const,
        );
      }),
    );
    await settle(last, (version, held) => {
      const before = first.get(version);
      return written.flatMap((one) => {
        const refused = refuses(version, one);
        const [replaced, fresh] = [keyOf(one, one.replaced), keyOf(one, one.fresh)];
        const found = held.has(fresh) === refused ? [`${fresh}: ${one.case.title}: there: ${held.has(fresh)}`] : [];
        const was = before?.get(replaced)?.resourceVersion;
        const is = held.get(replaced)?.resourceVersion;
        const isWrong = refused ? is !== was : is === undefined || (is === was) !== one.isSame;
        if (isWrong) found.push(`${replaced}: ${one.case.title}: ${was} has become ${is}`);
        return found;
      });
    });
    for (const version of versions) {
      const refused = written.filter((one) => refuses(version, one)).length;
      process.stderr.write(`faults: istiod ${version} refuses ${refused} of ${written.length} resources\n`);
      expect(refused).toBeGreaterThan(350);
      expect(written.length - refused).toBeGreaterThan(200);
      expect(istiods.get(version)?.log()).not.toMatch(/panic/);
    }
  });

  it('Isthmus raises no false alarm, and finds what its rules are about: what it holds back, both refuse', async () => {
    const keysWhere = (isMeant: (one: Written) => boolean): string[] =>
      written.filter(isMeant).flatMap((one) => [keyOf(one, one.replaced), keyOf(one, one.fresh)]);
    const refusedByBoth = new Set(keysWhere((one) => versions.every((version) => refuses(version, one))));
    const found = semanticQuarantine ? keysWhere((one) => one.case.finds.length > 0) : [];
    const quarantined = await until('what breaks a rule is in quarantine', async () => {
      const { resources } = (await isthmus.page('/debug/quarantine?limit=5000')) as QuarantinePage;
      const keys = new Set(resources.map(({ kind, resource }) => `${kind}/${resource}`));
      return found.every((key) => keys.has(key)) && [...keys];
    });
    expect(quarantined.filter((key) => !refusedByBoth.has(key))).toEqual([]);
    process.stderr.write(`faults: Isthmus has ${quarantined.length} in quarantine\n`);
  });

  it('what an istiod lacks and our rules do not find is in docs/validation-missed.md, row by row', () => {
    const missing = written
      .filter((one) => one.case.finds.length === 0)
      .flatMap((one) => {
        const by = versions.filter((version) => last.get(version)?.has(keyOf(one, one.fresh)) === false);
        return by.length === 0 ? [] : missedRows([{ ...one.case, refusedBy: by }]);
      });
    const rows = page.split('\n').filter((line) => /^\| [A-Z]/.test(line));
    expect(rows).toEqual(missing);
    expect(rows.length).toBeGreaterThan(50);
  });
});
