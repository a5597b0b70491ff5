import { colorsOf, oneLine, print, say } from '../src/cli/terminal.ts';
import { exitCode } from '../src/model/errors.ts';
import type { FoundFile, MeshPlace } from './meshconfig/find.ts';
import type { Patched, Refused } from './meshconfig/patch-text.ts';
import type { Wish } from './meshconfig/plan.ts';
import { listByHand, type NextStep, unifiedDiff } from './patch-report.ts';

/** A patch that could be made, for people to read. */
export type Told = {
  /** Of the file, or of what was read of the cluster. */
  readonly name: string;
  readonly before: string;
  readonly place: MeshPlace;
  readonly done: Patched;
  readonly wish: Wish;
  readonly steps: readonly NextStep[];
  /** Said where nothing was written; undefined where something was. */
  readonly nothing: string | undefined;
};

/** The diff on standard output, the rest on standard error; all of it there where standard output has the new file. */
export function tellPatch(told: Told, isStdoutTaken = false): void {
  const { place, done, wish, steps, nothing } = told;
  if (done.edits.length === 0) {
    say(`nothing to change: ${oneLine(place.what)} has xds://${wish.bridge} already`);
  } else if (isStdoutTaken) say(diffOf(told));
  else print(diffOf(told));
  for (const { severity, text } of done.plan.remarks) {
    const { yellow, green } = colorsOf(process.stderr);
    say(severity === 'change' ? `${green('*')} ${oneLine(text)}` : `${yellow('warning:')} ${oneLine(text)}`);
  }
  if (done.edits.length === 0) return;
  if (nothing !== undefined) say(nothing);
  say('What is left to do:');
  for (const [index, { text, command }] of steps.entries()) {
    say(`${index + 1}. ${text}`);
    if (command !== undefined) say(`   ${command}`);
  }
}

function diffOf({ name, before, done }: Pick<Told, 'name' | 'before' | 'done'>): string {
  return unifiedDiff({ before: name, after: `${name} (new)` }, before, done.text).trimEnd();
}

/** The same for programs. Fields may be added, none is taken away. */
export function patchJson(
  told: Told & { readonly warnings: readonly string[]; readonly written: Readonly<Record<string, string | undefined>> },
): string {
  const { place, done, wish, steps, warnings, written } = told;
  const remarks = [
    ...warnings.map((text) => ({ severity: 'warning', text })),
    ...done.plan.remarks.map(({ severity, text }) => ({ severity, text })),
  ];
  const result = {
    what: place.what,
    bridge: wish.bridge,
    changed: done.edits.length > 0,
    refused: null,
    configSources: done.plan.result,
    diff: diffOf(told),
    remarks,
    written,
    steps: done.edits.length === 0 ? [] : steps.map(({ text, command }) => ({ text, command: command ?? null })),
  };
  return JSON.stringify(result, undefined, 2);
}

/** An edit that is not made, and what to write by hand. @returns the exit code. */
export function tellRefusal(
  found: FoundFile,
  place: MeshPlace,
  { refused, plan }: Refused,
  output: 'text' | 'json',
): number {
  const { line, column } = found.spot(refused.offset ?? place.locate([]).offset);
  const reason = oneLine(`${found.file}:${line}:${column}: ${refused.message}`);
  say(`${colorsOf(process.stderr).red('isthmus:')} ${reason}`);
  say(`  nothing was written. Write this into ${oneLine(place.what)} by hand, in the place of its configSources:`);
  say(listByHand(plan).replaceAll(/^/gm, '    '));
  if (output === 'json') {
    const result = { what: place.what, changed: false, refused: { line, column, message: refused.message } };
    print(JSON.stringify({ ...result, configSources: plan.result, written: {} }, undefined, 2));
  }
  return exitCode.findings;
}
