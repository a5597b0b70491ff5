import { expect, test } from 'vitest';
import { renderMarkdown } from '../../../../migrate/report/markdown.ts';
import { sampleReport } from '../../../support/migrate/report-sample.ts';

test('a list to tick off, in which nothing from elsewhere means something to Markdown or HTML', () => {
  expect(renderMarkdown(sampleReport)).toBe(`# Migration to MCP-over-xDS

\`mesh\`, \`a|b.yaml\`, from 1.8.6 to any version: 1 error, 1 warning, 1 remark.

## Errors

- [ ] **"nacos:18848" has no scheme** \`mesh/istio.yaml:3:12\` (ADDRESS_LEGACY)
  - If left, 1.9 and newer passes over it.
  - To do: write xds://HOST:PORT.

## Warnings

- [ ] **mode  \\[31m&lt;b\\>\\*SIMPLE\\*&lt;/b\\> \\| is ignored** \`\` a \`b\` #%.yaml:3:12 \`\` (TLS_IGNORED)
  - If left, 1.9 to 1.25 ignores it.
  - If left, 1.9 more.
  - To do: write xds://HOST:PORT.

## Remarks

- **not known** \`mesh/istio.yaml:1:1\` (TARGET_UNKNOWN)
  - To do: write xds://HOST:PORT.`);
});
