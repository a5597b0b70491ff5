import { parentPort } from 'node:worker_threads';
import { faultsOf } from './batch-faults.ts';
import type { Answer, Question } from './messages.ts';

/** The thread: answers each question, in their order. */
parentPort?.on('message', (question: Question) => {
  const answer: Answer = { id: question.id, ...faultsOf(question) };
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- that is for windows
  parentPort?.postMessage(answer);
});
