// Sums what the runs of vitest counted, says again which tests failed, and ends with "N passed, N failed".
//
// Hundreds of tests over real sockets and processes share two cores. So a test file that failed is run once more, by
// itself, where no more than two did: what fails again has failed; what passes then counts, and is named as UNSTEADY,
// for a race is a defect of the test or of Isthmus, to be found before the next change. See CONTRIBUTING.md.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { basename, relative } from 'node:path';

/** More test files than these do not fail by chance. */
const mostAgain = 2;
const mostText = 2000;

const [reports, brokenSteps] = process.argv.slice(2);
/** The vitest projects of each run. */
const runs = [
  { name: 'test', projects: ['unit', 'conformance'] },
  { name: 'peers', projects: ['peers'] },
];

/** A process that died leaves the test that it was at, and those behind it, without an end. */
const isOpen = (test) => test.status === 'pending';
const hasFailed = (file) => file.status === 'failed' || file.assertionResults.some(isOpen);

/** Every test file of a run as vitest reports it; undefined where the run left no report. */
function filesOf(name) {
  const path = `${reports}/${name}.json`;
  return existsSync(path) ? JSON.parse(readFileSync(path, 'utf8')).testResults : undefined;
}

function endedWith(name) {
  return Number(readFileSync(`${reports}/${name}.code`, 'utf8'));
}

function countsOf(file) {
  const count = (status) => file.assertionResults.filter((test) => test.status === status).length;
  // A file that does not even load has failed, though it holds no test that did.
  return { passed: count('passed'), failed: Math.max(count('failed') + count('pending'), hasFailed(file) ? 1 : 0) };
}

function say(heading, file) {
  console.log(`${heading}: ${relative(process.cwd(), file.name)} ${file.message.slice(0, mostText)}`);
  for (const test of file.assertionResults) {
    if (isOpen(test)) console.log(`  ${test.fullName}\nits process ended before it did`);
    if (test.status !== 'failed') continue;
    console.log(`  ${test.fullName}\n${test.failureMessages.join('\n').slice(0, mostText)}`);
  }
}

/** The file run by itself; as it was where that leaves no report. */
function again(file, { name, projects }) {
  const path = relative(process.cwd(), file.name);
  const report = `${name}-again-${basename(path)}`;
  const options = projects.flatMap((project) => ['--project', project]);
  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${reports}/${report}.json`];
  const { status } = spawnSync('npx', ['vitest', 'run', ...options, ...reporters, path], { stdio: 'inherit' });
  const second = filesOf(report)?.find((one) => one.name === file.name);
  return second === undefined || (status !== 0 && !hasFailed(second)) ? file : second;
}

let missing = 0;
// Ends of vitest with an error that belongs to no test.
let unexplained = 0;
const files = runs.flatMap((run) => {
  const those = filesOf(run.name);
  if (those === undefined) missing++;
  else if (endedWith(run.name) !== 0 && !those.some(hasFailed)) unexplained++;
  return (those ?? []).map((file) => ({ file, run }));
});
const failing = files.filter(({ file }) => hasFailed(file)).length;

const notes = [];
let passed = 0;
let failed = missing + unexplained + Number(brokenSteps);
for (const { file: first, run } of files) {
  const file = hasFailed(first) && failing <= mostAgain ? again(first, run) : first;
  if (hasFailed(file)) notes.push(() => say('FAILED', file));
  else if (file !== first) notes.push(() => say('UNSTEADY, passed when run again', first));
  const counts = countsOf(file);
  passed += counts.passed;
  failed += counts.failed;
}
for (const note of notes) note();
if (missing > 0) console.log(`${missing} of ${runs.length} test runs left no report`);
if (unexplained > 0)
  console.log(`${unexplained} of ${runs.length} test runs ended with an error that belongs to no test`);
if (Number(brokenSteps) > 0) console.log(`${brokenSteps} of the steps above FAILED`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
