import { expect, it } from 'vitest';
import { violationText } from '../../src/schema/validate/violation.ts';
import { Random, seedOf } from '../support/istiod/random.ts';
import { validationCases } from '../support/validation/all.ts';
import { type IstiodVersion, istiods } from '../support/validation/case.ts';
import { bodyAndViolations, kindNamed } from '../support/validation/found.ts';
import { mutated, pantryOf } from '../support/validation/mutations.ts';
import { describeWithPeers } from './support/peers.ts';
import { askValidator, type Question } from './support/validator.ts';

const mutationsPerKind = 1_500;
const kinds = [...new Set(validationCases.map(({ kind }) => kind))];

/** What our rules say of it, one sentence each. */
type Judged = Question & { readonly spec: object; readonly ours: readonly string[] };

/** Undefined for a spec that can't be encoded. */
function judge(kind: string, subject: Question['subject'], spec: object): Judged | undefined {
  const found = bodyAndViolations(kindNamed(kind), subject, spec);
  return found && { kind, subject, spec, body: found.body, ours: found.violations.map(violationText) };
}

/** Why each istiod that refuses the resource does. */
type Refusals = ReadonlyMap<IstiodVersion, string>;

const peers = ['validator-1.24.0', 'validator-1.16.5'] as const;

describeWithPeers('Our rules, and the validation of Istio 1.24.0 and 1.16.5 itself', peers, (binaries) => {
  async function refusalsOf(questions: readonly Question[]): Promise<Refusals[]> {
    const refusals = questions.map(() => new Map<IstiodVersion, string>());
    for (const version of istiods) {
      const answers = await askValidator(binaries[`validator-${version}`], questions);
      for (const [index, { error }] of answers.entries()) if (error !== null) refusals[index]?.set(version, error);
    }
    return refusals;
  }

  it('agree about each case: who refuses it is as written down, with a reason where our rules find nothing', async () => {
    const judged = validationCases.map(({ kind, title, subject, spec }) => {
      const one = judge(kind, subject, spec);
      if (one === undefined) throw new Error(`${kind}: ${title}: the spec can't be encoded`);
      return one;
    });
    const refusals = await refusalsOf(judged);
    const got = validationCases.map(({ kind, title }, index) => {
      const refusedBy = [...(refusals[index]?.keys() ?? [])];
      return { title: `${kind}: ${title}`, refusedBy, found: judged[index]?.ours.length !== 0 };
    });
    const want = validationCases.map(({ kind, title, refusedBy, finds }) => {
      return { title: `${kind}: ${title}`, refusedBy, found: finds.length > 0 };
    });
    expect(got).toEqual(want);
    expect(got.filter(({ found }) => found).length).toBeGreaterThan(350);
    expect(got.filter(({ refusedBy }) => refusedBy.length === 0).length).toBeGreaterThan(200);
  });

  it.each(kinds)('%s, changed at random: nothing is found that an istiod takes', async (kind) => {
    const seed = seedOf();
    process.stderr.write(`validation: ${kind}: ISTHMUS_SEED=${seed}\n`);
    const random = new Random(seed);
    const cases = validationCases.filter((one) => one.kind === kind);
    const good = cases.filter(({ refusedBy }) => refusedBy.length === 0);
    const pantry = pantryOf(cases.map(({ spec }) => spec));
    const judged: Judged[] = [];
    while (judged.length < mutationsPerKind) {
      const { subject, spec } = random.pick(good);
      const one = judge(kind, subject, mutated(random, spec, pantry));
      if (one !== undefined) judged.push(one);
    }
    const refusals = await refusalsOf(judged);
    const refusedByAll = judged.filter((_, index) => refusals[index]?.size === istiods.length);
    const found = judged.filter(({ ours }) => ours.length > 0);
    const wrong = found.filter((one) => !refusedByAll.includes(one));
    expect(wrong.map(({ subject, spec, ours }) => ({ subject, spec, ours }))).toEqual([]);
    process.stderr.write(
      `validation: ${kind}: of ${judged.length} all refuse ${refusedByAll.length}, of those ${found.length} are found\n`,
    );
    expect(found.length).toBeGreaterThan(mutationsPerKind / 20);
    expect(refusedByAll.length).toBeLessThan(mutationsPerKind);
  });
});
