import type { ViolationCode } from '../../model/change.ts';
import { pathText, type Path } from '../problem.ts';

/** A rule of Istio that a resource breaks. */
export type Violation = {
  readonly code: ViolationCode;
  /** Begins with `spec`, or with `metadata` where the name or an annotation is wrong. */
  readonly path: Path;
  /** What is wrong, as it reads after the path. */
  readonly message: string;
  /** What to do about it. */
  readonly hint: string;
};

/** What istiod makes of a violation: the same for all of them (pilot/pkg/config/memory/store.go, every version). */
export const consequence = 'istiod from 1.14 on refuses the resource and keeps the form that it has';

/** Takes what a check finds. */
export type Report = (code: ViolationCode, path: Path, message: string, hint: string) => void;

/** The resource that a spec belongs to. */
export type Subject = {
  readonly namespace: string;
  readonly name: string;
  /** @default none */
  readonly annotations?: Readonly<Record<string, string>>;
};

/** What is wrong, what Istio does with it, what to do: `spec.hosts[0]: "*" is …: istiod …; …`. */
export function violationText({ path, message, hint }: Violation): string {
  return `${pathText(path)}: ${message}: ${consequence}; ${hint}`;
}

/** Calls `visit` with each element and its path. */
export function each<T>(list: readonly T[] | undefined, path: Path, visit: (item: T, at: Path) => void): void {
  for (const [index, item] of (list ?? []).entries()) visit(item, [...path, index]);
}

/** Calls `visit` with each entry of a map and its path. */
export function eachEntry<T>(
  map: Readonly<Record<string, T>> | undefined,
  path: Path,
  visit: (name: string, value: T, at: Path) => void,
): void {
  for (const [name, value] of Object.entries(map ?? {})) visit(name, value, [...path, name]);
}

/** True for a list that is absent or empty: on the wire they are the same. */
export const isEmpty = (list: readonly unknown[] | undefined): boolean => list === undefined || list.length === 0;

/** True for an object with no other fields than these: only then is nothing in it that a newer Istio may know. */
export function hasOnly(message: object | undefined, names: readonly string[] = []): boolean {
  return Object.keys(message ?? {}).every((name) => names.includes(name));
}
