import type { Path } from '../../src/schema/problem.ts';
import type { Place } from '../finding.ts';
import { type Version, versionOfImage } from '../version.ts';
import { listOf, mapOf, textOf } from './json.ts';
import { type KubeObject, objectText } from './objects.ts';

/** Istio's programs that had to do with legacy MCP. `pilot` is istiod too. */
export type Role = 'galley' | 'mixer' | 'pilot';

/** An argument of the command line such as `--registries=Consul`. */
export type Flag = {
  /** Without the hyphens. */
  readonly name: string;
  /** Undefined for a flag without one. */
  readonly value: string | undefined;
  readonly at: Place;
};

/** A variable of the environment; the value is empty where it comes from elsewhere. */
export type Variable = { readonly name: string; readonly value: string; readonly at: Place };

/** A container that runs one of Istio's programs. */
export type Program = {
  readonly role: Role;
  /** Such as `Deployment istio-system/istio-galley, container galley`. */
  readonly subject: string;
  readonly namespace: string;
  readonly flags: readonly Flag[];
  readonly env: readonly Variable[];
  readonly image: string;
  /** By the tag of the image; undefined where it tells none. */
  readonly version: Version | undefined;
  /** Of the image, or of the container where there is none. */
  readonly at: Place;
};

/** Where a kind has its Pod. */
const podPaths: Readonly<Record<string, Path>> = {
  Deployment: ['spec', 'template', 'spec'],
  StatefulSet: ['spec', 'template', 'spec'],
  DaemonSet: ['spec', 'template', 'spec'],
  ReplicaSet: ['spec', 'template', 'spec'],
  Pod: ['spec'],
};

/** The containers of an object that run Galley, Mixer, Pilot or istiod; none for other objects. */
export function programsOf(object: KubeObject): Program[] {
  const path = podPaths[object.kind];
  if (path === undefined) return [];
  const pod = mapOf(path.reduce<unknown>((at, step) => mapOf(at)[step], object.json));
  return ['initContainers', 'containers'].flatMap((list) =>
    listOf(pod[list]).flatMap((value, index) => {
      const container = mapOf(value);
      const at = [...path, list, index];
      const image = textOf(container['image']) ?? '';
      const words = wordsOf(container);
      const role = roleOf(image, words);
      if (role === undefined) return [];
      const name = textOf(container['name']);
      return [
        {
          role,
          subject: `${objectText(object)}${name === undefined ? '' : `, container ${name}`}`,
          namespace: object.namespace,
          flags: flagsOf(words, (below) => object.at([...at, ...below])),
          env: variablesOf(container['env'], (below) => object.at([...at, 'env', ...below])),
          image,
          version: versionOfImage(image),
          at: object.at([...at, 'image']),
        },
      ];
    }),
  );
}

/** A word of a command line, and where it stands in its container. */
type Word = { readonly word: string; readonly path: Path };

/** Of `command` and `args`; what a shell is given as one text is several words. */
function wordsOf(container: Readonly<Record<string, unknown>>): Word[] {
  return ['command', 'args'].flatMap((list) =>
    listOf(container[list]).flatMap((value, index) => {
      const text = textOf(value);
      if (text === undefined) return [];
      const path = [list, index];
      const isScript = /\s--?[a-zA-Z]/.test(text);
      return (isScript ? text.split(/\s+/).filter((word) => word !== '') : [text]).map((word) => ({ word, path }));
    }),
  );
}

const programs: Readonly<Record<string, Role>> = {
  galley: 'galley',
  mixer: 'mixer',
  mixs: 'mixer',
  pilot: 'pilot',
  'pilot-discovery': 'pilot',
};

/** By the program that is run; where the image says what to run, by the name of the image. */
function roleOf(image: string, words: readonly Word[]): Role | undefined {
  const [path = ''] = image.split('@');
  const name = path.slice(path.lastIndexOf('/') + 1).replace(/:.*$/, '');
  const commands = words.map(({ word, path: [list] }) => {
    const command = word.slice(word.lastIndexOf('/') + 1);
    return list === 'command' || command.includes('-') || word.includes('/') ? command : '';
  });
  const named = commands.find((command) => Object.hasOwn(programs, command));
  const ofImage = Object.hasOwn(programs, name) ? programs[name] : undefined;
  return ofImage ?? (named === undefined ? undefined : programs[named]);
}

/** `--name=value`, `--name value` and `--name`; the same with one hyphen. */
function flagsOf(words: readonly Word[], at: (below: Path) => Place): Flag[] {
  return words.flatMap(({ word, path }, index) => {
    const match = /^--?([a-zA-Z][\w.-]*)(?:=([\s\S]*))?$/.exec(word);
    if (match === null) return [];
    const [, name = '', inline] = match;
    const next = words[index + 1]?.word;
    const value = inline ?? (next === undefined || /^--?[a-zA-Z]/.test(next) ? undefined : next);
    return [{ name, value: value?.replace(/^(["'])(.*)\1$/, '$2'), at: at(path) }];
  });
}

/** A list of `name` and `value`, as a container has it. */
export function variablesOf(value: unknown, at: (below: Path) => Place): Variable[] {
  return listOf(value).flatMap((item, index) => {
    const { name, value: text } = mapOf(item);
    if (typeof name !== 'string') return [];
    return [{ name, value: textOf(text) ?? '', at: at([index, 'name']) }];
  });
}

/** The value of a flag; undefined where it is not given, or has none. The last one counts. */
export function flagValue({ flags }: Program, name: string): string | undefined {
  return flags.findLast((flag) => flag.name === name)?.value;
}
