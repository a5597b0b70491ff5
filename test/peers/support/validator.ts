import type { Subject } from '../../../src/schema/validate/violation.ts';
import { mustRun } from './run.ts';

/** A resource of the kind of that name, as istiod gets it. */
export type Question = { readonly kind: string; readonly subject: Subject; readonly body: Buffer };

/** `error`: istiod refuses it, and says this. */
export type Answer = { readonly error: string | null; readonly warnings: string | null };

/** What Istio's own validation has to say of each, in the same order. */
export async function askValidator(binary: string, questions: readonly Question[]): Promise<Answer[]> {
  const input = questions.map(({ kind, subject, body }) =>
    JSON.stringify({ kind, ...subject, body: body.toString('base64') }),
  );
  const output = await mustRun(binary, [], { input: input.join('\n') });
  const answers = output
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Answer);
  if (answers.length !== questions.length)
    throw new Error(`${answers.length} answers to ${questions.length} questions`);
  return answers;
}
