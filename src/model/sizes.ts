/**
 * How much is done in one turn, kept in one piece, or worth an effort. In one place, so that a test can make all of it
 * small (test/unit/state-model/turns.mocks.test.ts) and meet between turns what else only a hundred thousand resources would.
 */

/** Resources of a message that are looked at, at most, before other work gets its turn: 5 to 10 ms. */
export const readTurn = 10_000;

/** Resources of a message that are recognised together, where they come as they came before. */
export const sealRows = 256;

/** So often is the clock asked whether the turn is over. */
export const readStep = 128;

/** Texts that are sorted without a pause: about 5 ms. */
export const sortTurn = 5000;

/** Texts that are compared or looked for without a pause: a few milliseconds, even in code that nobody has run yet. */
export const textTurn = 4000;

/** Resources whose bytes are searched through without a pause: a few milliseconds. */
export const searchTurn = 4000;

/** Resources that are listed or passed over, one number each, without a pause: a few milliseconds. */
export const listTurn = 20_000;

/** Resources that are put in, moved or taken away without a pause: about 5 ms. */
export const placeTurn = 2000;

/** Bytes of one allocation of an arena. Larger resources get a chunk of their own. */
export const chunkBytes = 1 << 20;

/** Garbage that is not worth a look. */
export const smallGarbageBytes = 4 << 20;

/** Resources that may lie out of order in memory before they are laid out anew. */
export const maxScattered = 1000;

/** Rows of a snapshot that share a stamp: few enough that their part of a response is made again quickly. */
export const blockRows = 512;

/** Pieces from which joining them pays as soon as a second stream wants them. */
export const manyPieces = 1000;

/** Bytes of resources that are copied, hashed and handed to the disk without a pause: a millisecond. */
export const saveBlockBytes = 1 << 18;

/** Bytes of a file that are hashed without a pause: a few milliseconds. */
export const hashTurnBytes = 1 << 20;

/** Entries of a list that are written or read as JSON without a pause. */
export const jsonTurn = 500;

/** Resources that are counted without a pause: a millisecond or two. */
export const countTurn = 1024;

/** Bytes from which a part of a legacy message gets no further resource: what is copied where one resource changes. */
export const partBytes = 1 << 18;

/** Bytes of resources that are copied into parts of legacy messages without a pause: a few milliseconds. */
export const copyTurnBytes = 1 << 20;

/** Resources of which names and versions are read without a pause: a few milliseconds. */
export const nameTurn = 4000;
