import { expect } from 'vitest';
import type { Kind } from '../../../src/model/kinds.ts';
import type { Given } from './bridge.ts';

/**
 * What versions mean, over everything that was ever given: equal versions are equal content and the other way round,
 * for a resource and for a type.
 */
export class Meanings {
  readonly #contents = new Map<string, string>();
  readonly #versions = new Map<string, string>();

  check(kind: Kind, { version, resources }: Given): void {
    for (const [key, resource] of resources) {
      // istiod up to 1.11 is given none.
      if (resource.version !== '') this.#bind(`${kind.id} ${key}`, resource.version, resource.text);
    }
    this.#bind(kind.id, version, JSON.stringify(Array.from(resources, ([key, { text }]) => [key, text])));
  }

  #bind(subject: string, version: string, content: string): void {
    const [byVersion, byContent] = [`${subject} ${version}`, `${subject} ${content}`];
    const [knownContent, knownVersion] = [this.#contents.get(byVersion), this.#versions.get(byContent)];
    // Most are known; expectations cost more than all the rest.
    if (knownContent === content && knownVersion === version) return;
    expect({ content: knownContent ?? content, version: knownVersion ?? version }).toEqual({ content, version });
    this.#contents.set(byVersion, content);
    this.#versions.set(byContent, version);
  }
}
