import type { Logger } from '../model/logger.ts';
import type { ResourcesView } from '../wire/legacy-messages.ts';
import { type ProfileName, type SourceProfile, sourceProfiles } from './source-profile.ts';
import { type Guess, guessOf, noSigns, type Signs, withMessage } from './source-signs.ts';

/** Messages with resources that are looked at, at most. */
const maxMessages = 20;

/**
 * Looks at the first messages of a source whose profile is `auto`, and says which server it probably is. It changes nothing
 * but what can lose nothing: when an empty message is believed. The rest it tells the operator, who may choose the profile
 * (docs/adr/0007).
 */
export class SourceGuess {
  readonly #log: Logger;
  readonly #source: string;
  readonly #inForce: SourceProfile;
  #signs: Signs = noSigns;
  #messages = 0;
  #guess: Guess | undefined;
  #isOver = false;

  /** @param inForce the habits that the config gives. */
  constructor(log: Logger, source: string, inForce: SourceProfile) {
    this.#log = log;
    this.#source = source;
    this.#inForce = inForce;
  }

  /** Undefined while nobody can tell. */
  get guess(): Guess | undefined {
    return this.#isOver ? this.#guess : undefined;
  }

  /** When an empty message is believed: the more careful one of what the config says and what the guess has. */
  get empty(): SourceProfile['empty'] {
    const { empty } = this.#inForce;
    return empty === 'believed' && this.guess !== undefined ? sourceProfiles[this.guess.profile].empty : empty;
  }

  look(message: ResourcesView): void {
    if (this.#isOver || message.spans.length === 0) return;
    this.#signs = withMessage(this.#signs, message);
    this.#guess = guessOf(this.#signs);
    this.#messages++;
    // Several servers embed the same package: the next messages may show which one it is.
    const isSure = this.#guess !== undefined && this.#guess.profile !== 'pkg-mcp';
    if (!isSure && this.#messages < maxMessages) return;
    this.#isOver = true;
    this.#signs = noSigns;
    this.#tell();
  }

  #tell(): void {
    if (this.#guess === undefined) {
      this.#log.debug(
        { source: this.#source },
        'nothing about a source says which server it is: it is taken as any other',
      );
      return;
    }
    const { profile, because } = this.#guess;
    const differs = differences(this.#inForce, profile);
    const fields = { source: this.#source, looksLike: profile, because };
    if (differs.length === 0) {
      this.#log.debug(fields, 'a source was recognised; its profile would change nothing');
      return;
    }
    const hint = `set profile: ${profile} for this source to have its ${differs.join(', ')}, or profile: default to hear no more of it`;
    if (sourceProfiles[profile].state !== this.#inForce.state) {
      const what =
        'a source looks like one that sends only what has changed as though it were all: services are lost unless its profile is set';
      this.#log.warn({ ...fields, hint }, what);
      return;
    }
    this.#log.info(
      { ...fields, hint },
      'a source was recognised; its profile is not in force, since it would change something',
    );
  }
}

/** Habits in which a built-in profile differs from what is in force, but for those that are taken, or don't matter. */
export function differences(inForce: SourceProfile, profile: ProfileName): string[] {
  const wanted: SourceProfile = sourceProfiles[profile];
  const names = Object.keys(wanted) as (keyof SourceProfile)[];
  const isOther = (name: keyof SourceProfile) => JSON.stringify(wanted[name]) !== JSON.stringify(inForce[name]);
  return names.filter((name) => isOther(name) && !['empty', 'collections'].includes(name));
}
