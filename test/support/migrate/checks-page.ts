import { allChecks } from '../../../migrate/checks/all.ts';
import type { Check } from '../../../migrate/checks/check.ts';
import { readingCodes } from '../../../migrate/checks/reading.ts';
import { versionsText } from '../../../migrate/version.ts';

const head = `# What \`isthmus migrate analyze\` finds

Made from \`migrate/checks\` by \`UPDATE_GOLDEN=1 npx vitest run test/unit/docs\`. How to use it:
[migrate-analyze.md](migrate-analyze.md).

Codes are stable. \`error\`: the migration fails, or something is lost. \`warning\`: it may. \`info\`: what one should know; it
does not make the exit code 1. Where a check says what versions do, and the target is none of them, it finds nothing.

## What can't be read

The rest of the inputs is analysed all the same.

| code | severity | finds | what to do |
|---|---|---|---|
`;

/** docs/migration-checks.md as the checks would have it. */
export function checksPage(): string {
  const reading = readingCodes.map(
    ({ code, severity, finds, fix }) => `| \`${code}\` | ${severity} | ${finds} | ${fix} |`,
  );
  const list = allChecks.map(
    ({ code, severities }) => `| [\`${code}\`](#${code.toLowerCase()}) | ${severities.join(', ')} |`,
  );
  return [
    head + reading.join('\n'),
    `## Checks\n\n| code | severity |\n|---|---|\n${list.join('\n')}`,
    ...allChecks.map((check) => section(check)),
    '',
  ]
    .join('\n\n')
    .trimEnd()
    .concat('\n');
}

function section({ code, finds, left, fix, source }: Check): string {
  const consequences = left.map((one) => `- ${versionsText(one)} ${one.what}.`);
  return [
    `### ${code}`,
    finds,
    ...(consequences.length === 0 ? [] : [`If it is left, istiod:\n\n${consequences.join('\n')}`]),
    `To do: ${fix}`,
    `Source: ${source}.`,
  ].join('\n\n');
}
