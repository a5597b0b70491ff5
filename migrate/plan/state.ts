import { readFileSync } from 'node:fs';
import writeFileAtomic from 'write-file-atomic';
import type { infer as Infer } from 'zod';
import { z } from '../../src/config/zod.ts';
import { IsthmusError, messageOf } from '../../src/model/errors.ts';
import { digestOf, type Step } from './step.ts';

const stateSchema = z.strictObject({
  isthmusMigration: z.literal(1),
  /** Steps that are done: what they were then, and since when. */
  done: z.record(z.string(), z.strictObject({ digest: z.string(), at: z.iso.datetime() })),
});

/** What is done of a plan, as it is kept in a file. */
export type PlanState = Infer<typeof stateSchema>;

export const emptyState: PlanState = { isthmusMigration: 1, done: {} };

/** `changed`: it was done when it said something else. */
export type Progress = 'open' | 'done' | 'changed';

export function progressOf(step: Step, { done }: PlanState): Progress {
  const ticked = Object.hasOwn(done, step.id) ? done[step.id] : undefined;
  if (ticked === undefined) return 'open';
  return ticked.digest === digestOf(step) ? 'done' : 'changed';
}

/** Ticks steps, and takes ticks away. @throws IsthmusError USAGE for a step that the plan has not. */
export function tick(
  state: PlanState,
  steps: readonly Step[],
  change: { readonly done: readonly string[]; readonly undo: readonly string[]; readonly now: Date },
): PlanState {
  const all: Record<string, { digest: string; at: string }> = { ...state.done };
  for (const id of change.done) {
    const step = stepOf(steps, id, '--done');
    all[id] = { digest: digestOf(step), at: change.now.toISOString() };
  }
  for (const id of change.undo) delete all[stepOf(steps, id, '--undo').id];
  return { ...state, done: all };
}

function stepOf(steps: readonly Step[], id: string, flag: string): Step {
  const step = steps.find((one) => one.id === id);
  if (step !== undefined) return step;
  throw new IsthmusError('USAGE', flag, `"${id}" is no step of this plan`, {
    hint: `its steps are ${steps.map((one) => one.id).join(', ')}`,
  });
}

/** The state in a file; an empty one where there is no file yet. @throws IsthmusError USAGE for anything else. */
export function readPlanState(file: string): PlanState {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return emptyState;
    const what =
      error instanceof z.ZodError || error instanceof SyntaxError ? 'is no state of a plan' : messageOf(error);
    throw new IsthmusError('USAGE', file, what, {
      hint: 'give a file that isthmus migrate plan has written, or a new one',
    });
  }
}

/** Writes it as a whole or not at all. @throws IsthmusError STATE_UNWRITABLE */
export async function writePlanState(file: string, state: PlanState): Promise<void> {
  try {
    await writeFileAtomic(file, `${JSON.stringify(state, undefined, 2)}\n`);
  } catch (error) {
    throw new IsthmusError('STATE_UNWRITABLE', file, messageOf(error), {
      hint: 'give a place that can be written to',
      cause: error,
    });
  }
}
