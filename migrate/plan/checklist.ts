import type { Progress } from './state.ts';
import type { Step } from './step.ts';

/** A plan as it is shown. */
export type Checklist = {
  /** The file whose mesh config is moved, and which it is. */
  readonly file: string;
  readonly subject: string;
  readonly bridge: string;
  /** `from 1.8.6 to 1.24`. */
  readonly journey: string;
  readonly steps: readonly (Step & { readonly progress: Progress })[];
};

export const checklistOutputs = ['markdown', 'json', 'html'] as const;

export type ChecklistOutput = (typeof checklistOutputs)[number];

/** `3 of 9 steps are done`. */
export function progressText({ steps }: Checklist): string {
  const done = steps.filter(({ progress }) => progress === 'done').length;
  return `${done} of ${steps.length} steps are done`;
}

/** The first step that is not done. */
export function nextStep({ steps }: Checklist): Checklist['steps'][number] | undefined {
  return steps.find(({ progress }) => progress !== 'done');
}
