import { z } from 'zod';

/**
 * The part of SARIF 2.1.0 that Isthmus writes, as strict as the standard's own schema (sarif-schema-2.1.0.json) is for it:
 * no other properties, and every rule that a result names is there.
 */
const text = z.strictObject({ text: z.string().min(1) });

const level = z.enum(['none', 'note', 'warning', 'error']);

const rule = z.strictObject({
  id: z.string().min(1),
  shortDescription: text,
  help: text,
  defaultConfiguration: z.strictObject({ level }),
});

const location = z.strictObject({
  physicalLocation: z.strictObject({
    artifactLocation: z.strictObject({ uri: z.string().refine((uri) => isUriReference(uri)) }),
    region: z.strictObject({ startLine: z.int().min(1), startColumn: z.int().min(1) }),
  }),
});

const result = z.strictObject({
  ruleId: z.string(),
  ruleIndex: z.int().min(0),
  level,
  message: text,
  locations: z.array(location).length(1),
});

const run = z
  .strictObject({
    tool: z.strictObject({
      driver: z.strictObject({
        name: z.string().min(1),
        semanticVersion: z.string().regex(/^\d+\.\d+\.\d+/),
        rules: z.array(rule).refine((rules) => new Set(rules.map(({ id }) => id)).size === rules.length),
      }),
    }),
    columnKind: z.enum(['utf16CodeUnits', 'unicodeCodePoints']),
    results: z.array(result),
  })
  .refine(({ tool, results }) => results.every(({ ruleId, ruleIndex }) => tool.driver.rules[ruleIndex]?.id === ruleId));

export const sarifLog = z.strictObject({
  $schema: z.url(),
  version: z.literal('2.1.0'),
  runs: z.array(run).min(1),
});

/** RFC 3986: no character that has to be escaped, and no scheme but file. */
function isUriReference(uri: string): boolean {
  if (!/^[A-Za-z0-9._~!$&'()*+,;=:@/%-]+$/.test(uri) || /%(?![0-9A-F]{2})/.test(uri)) return false;
  return !/^[^/]*:/.test(uri) || uri.startsWith('file:///');
}
