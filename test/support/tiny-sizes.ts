import type * as sizes from '../../src/model/sizes.ts';

/** In the place of `src/model/sizes`: a few resources meet between turns what else only a hundred thousand would. */
export const tinySizes: Readonly<Record<keyof typeof sizes, number>> = {
  readTurn: 4,
  readStep: 2,
  sealRows: 3,
  searchTurn: 2,
  sortTurn: 3,
  textTurn: 2,
  listTurn: 2,
  placeTurn: 3,
  chunkBytes: 1 << 11,
  smallGarbageBytes: 1 << 11,
  maxScattered: 4,
  blockRows: 4,
  manyPieces: 4,
  saveBlockBytes: 600,
  hashTurnBytes: 100,
  jsonTurn: 2,
  countTurn: 3,
  partBytes: 600,
  copyTurnBytes: 300,
  nameTurn: 2,
};
