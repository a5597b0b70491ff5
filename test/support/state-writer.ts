/**
 * A process that saves what it holds, again and again, as fast as it can; a test kills it. Argument: its state folder.
 * State n is `a/0` to `a/99`, each with content n, but for some that came and went; it prints n when that is saved.
 */
import { serviceEntry } from './resources.ts';
import { StateLab } from './state-lab.ts';

const [, , stateDir = ''] = process.argv;
const lab = new StateLab();
lab.addOrigin('one', serviceEntry);
await lab.load(stateDir);
const begun = Number.parseInt(lab.held('one', serviceEntry)['a/0'] ?? '0', 10);
for (let n = begun + 1; ; n++) {
  const content = String(n).padEnd(1 + ((n * 37) % 5000), '.');
  const state = Object.fromEntries(Array.from({ length: 100 }, (_, i) => [`a/${i}`, content]));
  await lab.say('one', serviceEntry, { ...state, [`b/${n}`]: 'comes and goes' });
  await lab.state.saveNow();
  if (lab.state.view.files.some(({ isDue }) => isDue)) throw new Error('it was not saved');
  process.stdout.write(`${n}\n`);
}
