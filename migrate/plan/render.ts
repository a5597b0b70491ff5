import { oneLine } from '../../src/cli/terminal.ts';
import { type Checklist, type ChecklistOutput, nextStep, progressText } from './checklist.ts';

/** A checklist in the form that was asked for. */
export const renderChecklist: Readonly<Record<ChecklistOutput, (checklist: Checklist) => string>> = {
  markdown,
  json: (checklist) => JSON.stringify(checklist, undefined, 2),
  html,
};

/** One line a step, for `--status`. */
export function statusText(checklist: Checklist): string {
  const width = Math.max(...checklist.steps.map(({ id }) => id.length));
  const words = { open: '[ ]', done: '[x]', changed: '[!]' };
  const lines = checklist.steps.map(
    ({ id, title, progress }) =>
      `${words[progress]} ${id.padEnd(width)}  ${title}${progress === 'changed' ? ' (it has changed since it was done: do it again)' : ''}`,
  );
  const next = nextStep(checklist);
  return [...lines, '', `${progressText(checklist)}${next === undefined ? '' : `; next is ${next.id}`}`].join('\n');
}

type Shown = Checklist['steps'][number];

function markdown(checklist: Checklist): string {
  const { subject, file, bridge, journey, steps } = checklist;
  return [
    '# Migration checklist',
    `${plain(subject)} in \`${ticks(file)}\`, ${plain(journey)}, to the bridge at \`xds://${ticks(bridge)}\`. ${progressText(checklist)}.`,
    ...steps.map((step, index) => markdownStep(step, index + 1)),
  ].join('\n\n');
}

function markdownStep(step: Shown, number: number): string {
  const { id, title, notes, commands, check, back, progress } = step;
  const changed = progress === 'changed' ? ' (has changed since it was done)' : '';
  return [
    `## ${number}. ${title}`,
    `- [${progress === 'done' ? 'x' : ' '}] done (\`--done ${id}\`)${changed}`,
    ...(notes.length === 0 ? [] : [notes.map((note) => `- ${plain(note)}`).join('\n')]),
    ...(commands.length === 0 ? [] : [fence(commands)]),
    ...(check.command === undefined ? [] : [`Check:\n\n${fence([check.command])}`]),
    `Expected: ${plain(check.expect)}.`,
    `Way back:\n\n${back.map((one) => (isCommand(one) ? `    ${one.replaceAll('\n', '\n    ')}` : plain(one))).join('\n')}`,
  ].join('\n\n');
}

const isCommand = (text: string): boolean =>
  /^(isthmus|kubectl|helm|istioctl|rm|sed) /.test(text) && !text.endsWith('.');

/** Longer than any fence in it. */
function fence(lines: readonly string[]): string {
  const all = lines.join('\n');
  const longest = Math.max(2, ...Array.from(all.matchAll(/`+/g), ([run]) => run.length));
  const mark = '`'.repeat(longest + 1);
  return `${mark}sh\n${all}\n${mark}`;
}

const ticks = (text: string): string => oneLine(text).replaceAll('`', '’');

const plain = (text: string): string =>
  oneLine(text).replaceAll(/[\\`*[\]<>|~#]/g, (sign) => (sign === '<' ? '&lt;' : `\\${sign}`));

function html(checklist: Checklist): string {
  const { subject, file, bridge, journey, steps } = checklist;
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Migration checklist</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; max-width: 50rem; margin: 2rem auto; padding: 0 1rem; color: #222; background: #fff; }
pre { background: #f4f4f4; padding: .6rem; overflow-x: auto; }
section { border-top: 1px solid #ccc; }
label { font-weight: 600; }
</style>
</head>
<body>
<h1>Migration checklist</h1>
<p>${escape(subject)} in <code>${escape(file)}</code>, ${escape(journey)}, to the bridge at <code>xds://${escape(bridge)}</code>. ${progressText(checklist)}.</p>
${steps.map((step, index) => htmlStep(step, index + 1)).join('\n')}
</body>
</html>`;
}

function htmlStep({ id, title, notes, commands, check, back, progress }: Shown, number: number): string {
  const pre = (lines: readonly string[]) => `<pre>${escape(lines.join('\n'))}</pre>`;
  const parts = [
    `<h2>${number}. ${escape(title)}</h2>`,
    `<label><input type="checkbox"${progress === 'done' ? ' checked' : ''}> done</label> <code>--done ${escape(id)}</code>${progress === 'changed' ? ' (has changed since it was done)' : ''}`,
    notes.length === 0 ? '' : `<ul>${notes.map((note) => `<li>${escape(note)}</li>`).join('')}</ul>`,
    commands.length === 0 ? '' : pre(commands),
    check.command === undefined ? '' : `<p>Check:</p>${pre([check.command])}`,
    `<p>Expected: ${escape(check.expect)}.</p>`,
    `<p>Way back:</p>${pre(back)}`,
  ];
  return `<section id="${escape(id)}">\n${parts.filter((part) => part !== '').join('\n')}\n</section>`;
}

const signs: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' };

const escape = (text: string): string => text.replaceAll(/[&<>"']/g, (sign) => signs[sign] ?? sign);
