import { oneLine } from '../src/cli/terminal.ts';
import { IsthmusError } from '../src/model/errors.ts';
import type { FileProblem, FoundFile, MeshPlace } from './meshconfig/find.ts';
import { type ObjectName, operatorKinds } from './meshconfig/places.ts';

/** Problems of a file that are told at once. */
const maxProblems = 10;

/** Which mesh config of a file is meant. */
export type Choice = {
  /** Its document, from 1. */
  readonly document: number | undefined;
  /** A part of what it is called. */
  readonly name: string | undefined;
};

/**
 * The one mesh config of a file that is meant.
 * @param manualStep what to add by hand where there is none.
 * @throws IsthmusError CONFIG_INVALID where it can't be read; USAGE where there is none, or where it is not clear which.
 */
export function choosePlace(found: FoundFile, { document, name }: Choice, manualStep: string): MeshPlace {
  const inDocument = found.meshes.filter((place) => document === undefined || place.document === document);
  const exact = inDocument.filter(({ object }) => name !== undefined && object !== undefined && isNamed(object, name));
  const places = exact.length > 0 ? exact : inDocument.filter(({ what }) => name === undefined || what.includes(name));
  const [first, second] = places;
  if (first !== undefined && second === undefined) return first;
  if (second !== undefined) {
    throw new IsthmusError('USAGE', found.file, `there are ${places.length} mesh configs in it:${listOf(places)}`, {
      hint: 'say which with --document, or with a part of its name: --name istio-canary',
    });
  }
  const problems = found.problems.filter((problem) => document === undefined || problem.document === document);
  if (problems.length > 0) throw unreadable(found.file, problems);
  if (found.meshes.length > 0) {
    throw new IsthmusError('USAGE', found.file, `none of its mesh configs is meant:${listOf(found.meshes)}`, {
      hint: 'give the number of one with --document, or a part of its name with --name',
    });
  }
  throw nothingThere(found, manualStep);
}

function isNamed({ name, namespace }: ObjectName, text: string): boolean {
  return text === name || text === `${namespace}/${name}`;
}

function listOf(places: readonly MeshPlace[]): string {
  return places
    .map(({ document, what, locate }) => `\n  --document ${document}: ${oneLine(what)} (line ${locate([]).line})`)
    .join('');
}

function unreadable(file: string, problems: readonly FileProblem[]): IsthmusError {
  const lines = problems.slice(0, maxProblems).map((problem) => `\n  ${problemText(file, problem)}`);
  const rest = problems.length > maxProblems ? `\n  and ${problems.length - maxProblems} more` : '';
  const [{ hint } = { hint: '' }] = problems;
  return new IsthmusError('CONFIG_INVALID', file, `it can't be edited before it can be read:${lines.join('')}${rest}`, {
    hint,
  });
}

/** `istio.yaml:12:3: a key stands twice in one map`. */
export function problemText(file: string, { line, column, message }: FileProblem): string {
  return oneLine(`${file}:${line}:${column}: ${message}`);
}

function nothingThere(found: FoundFile, manualStep: string): IsthmusError {
  const kinds = found.documents.map(({ what }) => oneLine(what));
  const some = kinds.length > 5 ? `${kinds.slice(0, 5).join(', ')} and ${kinds.length - 5} more` : kinds.join(', ');
  const what = kinds.length === 0 ? 'there is nothing in it' : `there is no mesh config in it, but ${some}`;
  if (found.documents.some((one) => one.what === 'Helm values')) {
    return new IsthmusError('USAGE', found.file, what, {
      hint: `add one by hand, at the top:\n    meshConfig:\n${manualStep}`,
    });
  }
  const operator = found.objects.find(({ kind }) => operatorKinds.has(kind));
  if (operator !== undefined) {
    return new IsthmusError('USAGE', found.file, what, {
      hint: `add one by hand, below its spec:\n    meshConfig:\n${manualStep}`,
    });
  }
  return new IsthmusError('USAGE', found.file, what, {
    hint:
      'give the ConfigMap that istiod reads (kubectl -n istio-system get configmap istio -o yaml), a mesh config, ' +
      'the values of Helm, or an IstioOperator',
  });
}
