/** Why a connection was turned away before it came to gRPC. A closed set: it is a metric label. */
export const turnedAwayReasons = [
  'http1',
  'tls',
  'plaintext',
  'other',
  'silent',
  'too-many',
  'too-many-of-peer',
  'address',
  'no-tls-files',
  'handshake',
  'no-http2',
  'no-certificate',
  'bad-certificate',
  'unknown-identity',
] as const;
