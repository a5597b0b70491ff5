import { parentPort, workerData } from 'node:worker_threads';
import { faultsOf } from './batch-faults.ts';
import type { Answer, Question } from './messages.ts';
import { Progress } from './progress.ts';
import { faultOf } from './verdict.ts';

/** What the thread does: answers each question, in their order, and says all along where it is. */
export function serveQuestions(look: typeof faultOf = faultOf): void {
  const progress = new Progress(workerData as SharedArrayBuffer);
  parentPort?.on('message', ({ id, skip, ...batch }: Question) => {
    const onPlace = (place: number) => {
      progress.at = { id, place };
    };
    const answer: Answer = { id, ...faultsOf(batch, { skip, onPlace, look }) };
    // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
    parentPort?.postMessage(answer);
  });
}
