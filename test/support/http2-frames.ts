/** Types of frames by their number. */
const types = {
  DATA: 0,
  HEADERS: 1,
  PRIORITY: 2,
  RST_STREAM: 3,
  SETTINGS: 4,
  PUSH_PROMISE: 5,
  PING: 6,
  GOAWAY: 7,
  WINDOW_UPDATE: 8,
} as const;

/** One frame, as it travels. */
export function frame(
  type: keyof typeof types | number,
  flags: number,
  stream: number,
  payload: Buffer = Buffer.alloc(0),
): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = typeof type === 'number' ? type : types[type];
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** How a client begins in HTTP/2 (RFC 9113, 3.4), with an empty SETTINGS frame. */
export const greeting = Buffer.concat([
  Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n', 'latin1'),
  frame('SETTINGS', 0, 0),
]);

/** A header of HPACK, written out. */
function header(name: string, value: string): Buffer {
  return Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value),
  ]);
}

/** A HEADERS frame; names and values of less than 127 bytes. @param isLast whether nothing follows on the stream. */
export function headersFrame(stream: number, headers: Readonly<Record<string, string>>, isLast = false): Buffer {
  const block = Buffer.concat(Object.entries(headers).map(([name, value]) => header(name, value)));
  const endOfHeaders = 4;
  const endOfStream = 1;
  return frame('HEADERS', endOfHeaders + (isLast ? endOfStream : 0), stream, block);
}

/** The HEADERS frame of a call to a method of gRPC. */
export function callFrame(
  stream: number,
  path: string,
  contentType = 'application/grpc',
  more: Readonly<Record<string, string>> = {},
): Buffer {
  return headersFrame(stream, {
    ':method': 'POST',
    ':scheme': 'http',
    ':path': path,
    ':authority': 'x',
    'content-type': contentType,
    te: 'trailers',
    ...more,
  });
}

/** The frame with which a peer gives a stream up. */
export function resetFrame(stream: number, code = 8): Buffer {
  const payload = Buffer.alloc(4);
  payload.writeUInt32BE(code);
  return frame('RST_STREAM', 0, stream, payload);
}

/** True where these bytes, the first ones of a client, hold the HEADERS of a call. */
export function hasCall(bytes: Buffer): boolean {
  const preface = greeting.length - 9;
  for (let at = preface; at + 9 <= bytes.length; at += 9 + bytes.readUIntBE(at, 3)) {
    if (bytes[at + 3] === types.HEADERS) return true;
  }
  return false;
}
