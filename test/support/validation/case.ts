import type { ViolationCode } from '../../../src/model/change.ts';
import type { Subject } from '../../../src/schema/validate/violation.ts';

/** The istiods whose own validation the rules are compared with. */
export const istiods = ['1.16.5', '1.24.0'] as const;

export type IstiodVersion = (typeof istiods)[number];

/** A resource, what our rules find in it, and which istiods refuse it. */
export type ValidationCase = {
  readonly title: string;
  readonly kind: string;
  readonly subject: Subject;
  /** As in a file. */
  readonly spec: object;
  /** Sorted. Where there are any, all istiods refuse it. */
  readonly finds: readonly ViolationCode[];
  readonly refusedBy: readonly IstiodVersion[];
  /** Why our rules find nothing, where an istiod refuses it. */
  readonly why?: string;
};

type Row = readonly [title: string, spec: object, ...verdict: Verdict];

/** Nothing: all take it. Codes: all refuse it, and our rules find them. Otherwise who refuses it, and why we don't. */
type Verdict = readonly ViolationCode[] | readonly [Missed];

export type Missed = { readonly refusedBy: readonly IstiodVersion[]; readonly why: string };

/** All istiods refuse it, our rules do not. */
export const missed = (why: string): Missed => ({ refusedBy: istiods, why });
/** Only newer istiods refuse it. */
export const newer = (why: string): Missed => ({ refusedBy: ['1.24.0'], why });
/** Only older istiods refuse it. */
export const older = (why: string): Missed => ({ refusedBy: ['1.16.5'], why });

/** Cases of one kind, in the namespace `shop`, named `it` unless `subject` says otherwise. */
export function casesOf(kind: string, rows: readonly Row[], subject: Partial<Subject> = {}): ValidationCase[] {
  return rows.map(([title, spec, ...verdict]) => {
    const base = { title, kind, spec, subject: { namespace: 'shop', name: 'it', ...subject } };
    const [first] = verdict;
    if (typeof first === 'object') return { ...base, finds: [], ...first };
    return { ...base, finds: verdict as readonly ViolationCode[], refusedBy: verdict.length > 0 ? istiods : [] };
  });
}
