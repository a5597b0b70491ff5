/**
 * The examples below the options of a verb, to be shown with yargs' `epilogue`. Each command is a line of its own that
 * can be copied: yargs' own `example` gives it half of the width, and breaks it there.
 */
export function examples(...all: readonly (readonly [command: string, purpose: string])[]): string {
  return ['Examples:', ...all.flatMap(([command, purpose]) => [`  # ${purpose}`, `  ${command}`])].join('\n');
}
