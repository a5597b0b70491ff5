import { StreamDecoder } from '@grpc/grpc-js/build/src/stream-decoder.js';

/** The part of grpc-js' decoder that is no concern of others. */
type Decoder = {
  write: (this: Decoder, data: Buffer) => Buffer[];
  readState: number;
  readPartialMessage: Buffer[];
};

/** `NO_DATA`: the last message is complete, and none has begun. */
const betweenMessages = 0;

/**
 * Has grpc-js let go of the pieces of a message as soon as they are joined. Its decoder (1.14, stream-decoder.js) keeps them
 * until the next message of the stream begins: of each source, as much memory as its last message had, all the time
 * (docs/adr/0013). Of all streams of this process, whichever side they were opened by.
 */
export function letGoOfPieces(): void {
  const decoder = StreamDecoder.prototype as unknown as Decoder;
  const { write } = decoder;
  decoder.write = function letGo(data) {
    const messages = write.call(this, data);
    if (this.readState === betweenMessages) this.readPartialMessage = [];
    return messages;
  };
}
