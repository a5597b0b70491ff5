import { describe, expect, test } from 'vitest';
import { Intake, type IntakeRules } from '../../../src/intake/intake.ts';
import { noRow, ResourcePool } from '../../../src/model/resource.ts';
import { Arena } from '../../../src/wire/arena.ts';
import { ResourceTable } from '../../../src/wire/resource-table.ts';
import { viewResource } from '../../../src/wire/resource-view.ts';
import { bodies } from '../../../src/wire/root.ts';
import {
  labelledResource,
  messageOf,
  serviceEntry,
  serviceEntryBody,
  serviceEntryResource,
} from '../../support/resources.ts';
import { heldBy } from '../../support/source-view.ts';
import { field, fields, truncated } from '../../support/wire-bytes.ts';

const off = { invalidLabels: false, hostColons: false, zeroPorts: false, servicePorts: false };
const rules = { defaultNamespace: 'default', namespaceIsExplicit: false };
const labels: IntakeRules = { ...rules, repairs: { ...off, invalidLabels: true } };

/** An intake, and what it is compared with; believes everything that a message says. */
class Source {
  readonly resources = new ResourceTable(new ResourcePool());
  readonly arena = new Arena();
  readonly listed = undefined;
  readonly #intake: Intake;

  constructor(given: IntakeRules) {
    this.#intake = new Intake(serviceEntry, given);
  }

  async take(resources: readonly Uint8Array[], full = true) {
    const change = await this.#intake.take(messageOf(resources, { full }), this);
    const { pool } = this.resources;
    const retire = (row: number) => row !== noRow && pool.retire(row);
    for (const key of change.missing) retire(this.resources.delete(key));
    for (const row of change.upserts) retire(this.resources.put(row));
    return { upserts: change.upserts.length, bodies: change.repairs.bodies, quarantined: change.quarantined };
  }

  /** Key → version, labels of the first endpoint. */
  get held(): Record<string, { version: string; labels: object | undefined }> {
    const type = bodies().lookupType(serviceEntry.body);
    return Object.fromEntries(
      heldBy(this.resources).map((resource) => {
        const body = type.toObject(type.decode(viewResource(resource).body)) as { endpoints?: { labels?: object }[] };
        return [resource.key, { version: resource.version, labels: body.endpoints?.[0]?.labels }];
      }),
    );
  }
}

const entry = (name: string, given: Readonly<Record<string, string>>) =>
  serviceEntryResource(name, {
    hosts: [`${name.replace('/', '.')}.example.com`],
    endpoints: [{ address: '10.0.0.1', labels: given }],
  });

const good = entry('a/good', { app: 'a' });
const bad = entry('a/bad', { app: 'a', 'not valid': 'x' });
const mended = entry('a/bad', { app: 'a' });

describe('a repair', () => {
  test('comes before the content is hashed: the version is that of what is sent', async () => {
    const repaired = new Source(labels);
    const plain = new Source(rules);
    expect(await repaired.take([bad, good])).toMatchObject({ upserts: 2, bodies: { invalid_labels: 1 } });
    await plain.take([mended, good]);
    expect(repaired.held).toEqual(plain.held);
    // Another mistake of the same kind is no change.
    const other = entry('a/bad', { app: 'a', 'still not': 'y' });
    expect(await repaired.take([other, good])).toMatchObject({ upserts: 0, bodies: { invalid_labels: 1 } });
    expect(await repaired.take([mended, good])).toMatchObject({ upserts: 0 });
  });

  test('is counted in each message, although the same bytes are not looked at again', async () => {
    const source = new Source(labels);
    for (let i = 0; i < 4; i++) {
      expect((await source.take([bad, good, entry('a/more', { 'bad one': '' })])).bodies).toEqual({
        invalid_labels: 2,
      });
    }
    expect((await source.take([good, bad])).bodies).toEqual({ invalid_labels: 1 });
    expect((await source.take([good])).bodies).toBeUndefined();
    expect((await source.take([bad], false)).bodies).toEqual({ invalid_labels: 1 });
    expect((await source.take([good, bad])).bodies).toEqual({ invalid_labels: 1 });
  });

  test('goes on being counted after messages that are mostly new, for which no bytes are compared', async () => {
    const source = new Source(labels);
    const others = (round: number) => [0, 1, 2, 3].map((i) => entry(`a/${i}`, { round: String(round) }));
    for (let round = 0; round < 6; round++) {
      expect((await source.take([bad, ...others(round >> 1)])).bodies).toEqual({ invalid_labels: 1 });
    }
  });

  test('does not take a body that can’t be read with it', async () => {
    const source = new Source(labels);
    const broken = fields(
      field(1, field(1, 'a/broken')),
      field(2, fields(field(1, `type.googleapis.com/${serviceEntry.body}`), field(2, field(6, truncated(3))))),
    );
    const { upserts, quarantined } = await source.take([broken, bad]);
    expect(upserts).toBe(1);
    expect(quarantined).toMatchObject([{ key: 'a/broken', reason: 'malformed' }]);
  });

  test('is not counted of what is not sent all the same', async () => {
    const source = new Source(labels);
    const body = serviceEntryBody({ endpoints: [{ labels: { 'not valid': 'x' } }] });
    const stranger = labelledResource('a/other', {}, body, 'istio.networking.v1alpha3.Gateway');
    const taken = await source.take([stranger, good]);
    expect([taken.bodies, taken.quarantined.map(({ reason }) => reason)]).toEqual([undefined, ['wrong_kind']]);
    expect((await source.take([bad, good])).bodies).toEqual({ invalid_labels: 1 });
  });

  test('is none where nothing is turned on', async () => {
    const source = new Source({ ...rules, repairs: off });
    expect((await source.take([bad])).bodies).toBeUndefined();
    expect(source.held['a/bad']?.labels).toEqual({ app: 'a', 'not valid': 'x' });
  });
});

test('names that look escaped are not taken for those that were', async () => {
  const source = new Source({ ...rules, slashes: 'escape' });
  const names = ['a/b/c', 'a/b%2Fc', 'a/b%252Fc'];
  for (let i = 0; i < 3; i++) {
    const { upserts } = await source.take(names.map((name) => entry(name, {})));
    expect(upserts).toBe(i === 0 ? 3 : 0);
  }
  expect(Object.keys(source.held).toSorted()).toEqual(['a/b%25252Fc', 'a/b%252Fc', 'a/b%2Fc']);
  await source.take([entry('a/b%2Fc', {})]);
  expect(Object.keys(source.held)).toEqual(['a/b%252Fc']);
});
