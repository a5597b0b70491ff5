import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { viewed } from '../../../src/wire/bytes.ts';
import { labelOf } from '../../../src/wire/labels.ts';
import { encodeResourceMessage, viewResource } from '../../../src/wire/resource-view.ts';
import { encoded, pool, serviceEntry } from './encoded.ts';
import { entry, field, varint } from './fields.ts';

const revision = viewed(Buffer.from('istio.io/rev'));

/** The label of a resource whose metadata has these fields, beside its name. */
function labelIn(...metadata: readonly Buffer[]): string | undefined {
  const body = field(2, field(1, `type.googleapis.com/${serviceEntry}`));
  const message = Buffer.concat([field(1, field(1, 'a/b'), ...metadata), body]);
  return labelOf(pool, encoded(message).row, revision);
}

const rev = (value: string) => entry(4, 'istio.io/rev', value);

describe('the label istio.io/rev', () => {
  test.each([
    ['is not there', [], undefined],
    ['is there', [rev('canary')], 'canary'],
    ['is empty', [rev('')], ''],
    ['has no value', [field(4, field(1, 'istio.io/rev'))], ''],
    ['stands between others', [entry(4, 'a', 'b'), rev('canary'), entry(4, 'z', 'istio.io/rev')], 'canary'],
    ['is an annotation', [entry(5, 'istio.io/rev', 'canary')], undefined],
    ['stands behind an annotation', [entry(5, 'a', 'b'), rev('canary')], 'canary'],
    ['is only the value of another one', [entry(4, 'other', 'istio.io/rev')], undefined],
    ['is only the beginning of another one', [entry(4, 'istio.io/revision', 'x')], undefined],
    ['is only nearly that', [entry(4, 'istio.io/re', 'x'), entry(4, 'istio.io/rew', 'y')], undefined],
    ['is there twice', [rev('one'), rev('two')], 'two'],
    ['has its value first', [field(4, field(2, 'canary'), field(1, 'istio.io/rev'))], 'canary'],
    ['says its key twice', [field(4, field(1, 'a'), field(1, 'istio.io/rev'), field(2, 'canary'))], 'canary'],
    ['takes its key back', [field(4, field(1, 'istio.io/rev'), field(1, 'a'), field(2, 'canary'))], undefined],
    ['has a field that nobody knows', [field(4, field(1, 'istio.io/rev'), field(9, 'x'), field(2, 'v'))], 'v'],
    ['is no ASCII', [rev('目录')], '目录'],
    ['has a long value', [rev('x'.repeat(300))], 'x'.repeat(300)],
    ['has a tag that is longer than needed', [withLongTag(rev('canary'))], 'canary'],
  ] as const)('%s', (_what, metadata, expected) => {
    expect(labelIn(...metadata)).toBe(expected);
  });

  test('is what every reader finds', () => {
    const key = fc.constantFrom('istio.io/rev', 'app', 'a', 'zz', 'istio.io/rew', '');
    const maps = fc.dictionary(key, fc.string({ maxLength: 200 }));
    fc.assert(
      fc.property(maps, maps, (labels, annotations) => {
        const message = encodeResourceMessage({
          name: 'a/b',
          labels,
          annotations,
          bodyType: serviceEntry,
          body: Buffer.alloc(0),
        });
        const resource = encoded(message);
        expect(labelOf(pool, resource.row, revision)).toBe(viewResource(resource).labels['istio.io/rev']);
      }),
    );
  });
});

/** The same field with a tag of two bytes. */
function withLongTag(bytes: Buffer): Buffer {
  return Buffer.concat([varint(bytes[0] as number, 1), bytes.subarray(1)]);
}
