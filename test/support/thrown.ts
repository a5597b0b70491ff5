import { IsthmusError } from '../../src/model/errors.ts';

/** What `run` throws. @throws where that is nothing, or no {@link IsthmusError}. */
export function thrownBy(run: () => unknown): IsthmusError {
  try {
    run();
  } catch (error) {
    if (error instanceof IsthmusError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}
