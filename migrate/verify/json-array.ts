/** Longest element that is taken: a thousand times what the largest resources of a mesh are. */
const maxElementBytes = 64 << 20;

/** A text that is no JSON list, or ends before the list does. */
export class BrokenListError extends Error {
  override readonly name = 'BrokenListError';
}

const [quote, backslash, open, openList, close, closeList, comma] = Array.from('"\\{[}],', (sign) =>
  sign.charCodeAt(0),
) as [number, number, number, number, number, number, number];

const isBlank = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d);

/**
 * The elements of one JSON list, each as soon as its last byte has come. A list of a hundred thousand never lies in memory
 * as a whole, neither as text nor as objects.
 *
 * @throws BrokenListError where it is no list, is cut off, or has something behind its end: then what came before says
 *   nothing of the whole.
 */
export async function* jsonElements(chunks: AsyncIterable<Uint8Array>): AsyncGenerator {
  let depth = 0;
  let isInString = false;
  let isEscaped = false;
  let isOver = false;
  let isAfterComma = false;
  /** Of the element that has begun: what earlier chunks had of it. */
  let parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of chunks) {
    let from = 0;
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i] as number;
      if (isInString) {
        if (isEscaped) isEscaped = false;
        else if (byte === backslash) isEscaped = true;
        else if (byte === quote) isInString = false;
        continue;
      }
      if (depth === 0) {
        if (isBlank(byte)) continue;
        if (isOver) throw new BrokenListError('there is something behind the end of the list');
        if (byte !== openList) throw new BrokenListError('it is no JSON list');
        depth = 1;
        from = i + 1;
      } else if (byte === quote) isInString = true;
      else if (byte === open || byte === openList) depth++;
      else if (byte === close || byte === closeList) depth--;
      const isEnd = depth === 0 && byte === closeList;
      if (depth === 0 && !isEnd) throw new BrokenListError('a bracket has no other one');
      if (!isEnd && !(depth === 1 && byte === comma)) continue;
      parts.push(chunk.subarray(from, i));
      const element = Buffer.concat(parts);
      [parts, bytes, from] = [[], 0, i + 1];
      isOver = isEnd;
      if (isEnd && !isAfterComma && element.every(isBlank)) continue;
      isAfterComma = !isEnd;
      yield parse(element);
    }
    if (isOver || depth === 0) continue;
    parts.push(chunk.subarray(from));
    bytes += chunk.length - from;
    if (bytes > maxElementBytes) throw new BrokenListError(`an element is longer than ${maxElementBytes} bytes`);
  }
  if (!isOver) throw new BrokenListError(depth === 0 ? 'there is nothing in it' : 'it is cut off');
}

function parse(element: Buffer): unknown {
  try {
    return JSON.parse(element.toString('utf8'));
  } catch {
    throw new BrokenListError('an element of the list is no JSON');
  }
}
