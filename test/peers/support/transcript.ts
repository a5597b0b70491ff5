import type { Said } from './journey-shell.ts';

const mostLines = 16;
const lastLines = 3;

/** A page that tells what was typed, and what came of it, without what differs from run to run. */
export class Transcript {
  readonly #parts: string[];

  constructor(head: string) {
    this.#parts = [head.trim()];
  }

  title(text: string): void {
    this.#parts.push(`## ${text}`);
  }

  say(text: string): void {
    this.#parts.push(text);
  }

  /** @param isWaiting it tells how it waits, of which only the last line is for people. */
  command(text: string, { code, stdout, stderr }: Said, isWaiting: boolean): void {
    const said = isWaiting
      ? stdout.trimEnd().split('\n').slice(-1)
      : shortened(`${stdout.trimEnd()}\n${stderr}`.trim());
    const exit = code === 0 ? [] : [`(exit code ${code})`];
    const lines = [...`$ ${text}`.split('\n'), ...said.map(settled), ...exit].filter(
      (line, at) => line !== '' || at === 0,
    );
    this.#parts.push(['```', ...lines, '```'].join('\n'));
  }

  get text(): string {
    return `${this.#parts.join('\n\n')}\n`;
  }
}

/** The titles and the commands of such a page. */
export function outlineOf(page: string): string[] {
  return page.split('\n').filter((line) => /^(## |\$ )/.test(line));
}

function shortened(text: string): string[] {
  const lines = text.split('\n');
  if (lines.length <= mostLines) return lines;
  const left = lines.length - mostLines;
  return [...lines.slice(0, mostLines - lastLines), `… ${left} lines …`, ...lines.slice(-lastLines)];
}

/** A line without times, numbers of processes and versions of objects. */
function settled(line: string): string {
  return line
    .replaceAll(/\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z/g, 'TIME')
    .replaceAll(/\b\d+(\.\d+)? ?(ms|s)\b(?! of)/g, 'a moment')
    .replaceAll(/127\.0\.0\.1:[2-3]\d{4}\b/g, '127.0.0.1:PORT')
    .replaceAll(/resourceVersion: "\d+"/g, 'resourceVersion: "…"')
    .trimEnd();
}
