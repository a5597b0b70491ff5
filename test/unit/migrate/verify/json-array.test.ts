import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { BrokenListError, jsonElements } from '../../../../migrate/verify/json-array.ts';

async function* chunksOf(bytes: Uint8Array, sizes: readonly number[]): AsyncGenerator<Uint8Array> {
  let at = 0;
  for (let i = 0; at < bytes.length; i++) {
    const size = Math.max(1, sizes[i % sizes.length] ?? 1);
    yield bytes.subarray(at, at + size);
    at += size;
  }
}

async function read(text: string, sizes: readonly number[] = [7]): Promise<unknown[]> {
  const elements: unknown[] = [];
  for await (const element of jsonElements(chunksOf(Buffer.from(text), sizes))) elements.push(element);
  return elements;
}

const lists = fc.array(fc.jsonValue(), { maxLength: 6 });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1, maxLength: 4 });

describe('the elements of a list', () => {
  test('are what JSON.parse finds, wherever the text is cut into pieces, and however it is indented', async () => {
    await fc.assert(
      fc.asyncProperty(lists, sizes, fc.constantFrom(undefined, 1, '\t'), async (list, pieces, indent) => {
        const text = JSON.stringify(list, undefined, indent);
        expect(await read(`\n ${text} \n`, pieces)).toEqual(JSON.parse(text));
      }),
    );
  });

  test('of a text that is cut off are no list, wherever it was cut', async () => {
    await fc.assert(
      fc.asyncProperty(lists, fc.double({ min: 0, max: 1, noNaN: true }), async (list, share) => {
        const text = JSON.stringify(list);
        const part = text.slice(0, Math.min(text.length - 1, Math.floor(text.length * share)));
        await expect(read(part)).rejects.toThrow(BrokenListError);
      }),
    );
  });

  test.each([
    ['', 'there is nothing in it'],
    ['  \n', 'there is nothing in it'],
    ['{}', 'it is no JSON list'],
    ['404 page not found', 'it is no JSON list'],
    ['[1,]', 'an element of the list is no JSON'],
    ['[,1]', 'an element of the list is no JSON'],
    ['[1 2]', 'an element of the list is no JSON'],
    ['[{]', 'it is cut off'],
    ['[{]]', 'an element of the list is no JSON'],
    ['[1}', 'a bracket has no other one'],
    ['[1]]', 'there is something behind the end of the list'],
    ['[][]', 'there is something behind the end of the list'],
    ['["a', 'it is cut off'],
  ])('%j: %s', async (text, message) => {
    await expect(read(text)).rejects.toThrow(message);
  });

  test('come out one by one, before the next piece is asked for', async () => {
    const asked: number[] = [];
    async function* pieces(): AsyncGenerator<Uint8Array> {
      for (const [i, text] of ['[{"a":1},', '{"a":2}', ']'].entries()) {
        asked.push(i);
        yield Buffer.from(text);
      }
    }
    const elements = jsonElements(pieces());
    expect([(await elements.next()).value, asked]).toEqual([{ a: 1 }, [0]]);
    expect([(await elements.next()).value, asked]).toEqual([{ a: 2 }, [0, 1, 2]]);
    expect((await elements.next()).done).toBe(true);
  });
});
