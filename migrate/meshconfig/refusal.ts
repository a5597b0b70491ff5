/** Why a mesh config is not edited. Thrown inside of meshconfig/, and told with the manual step. */
export class Refusal extends Error {
  override readonly name = 'Refusal';
  /** Where in the file, as an offset; undefined where it is about all of it. */
  readonly offset: number | undefined;

  constructor(message: string, offset?: number) {
    super(message);
    this.offset = offset;
  }
}
