import { Readable } from 'node:stream';
import { describe, expect, test } from 'vitest';
import type { Check } from '../../../migrate/checks/check.ts';
import { runChecks } from '../../../migrate/checks/check.ts';
import { type Finding, type Severity, sortFindings } from '../../../migrate/finding.ts';
import type { SourceFile } from '../../../migrate/scan/files.ts';
import { scan, type Scanned } from '../../../migrate/scan/scan.ts';
import { requireVersion, versionsText } from '../../../migrate/version.ts';

/** Stands in a text where a finding is expected. */
const mark = '«';

/** Texts by the name of the file; one text is `in.yaml`. */
export type Texts = string | Readonly<Record<string, string>>;

export type CheckCase = {
  /** With « where each finding begins. */
  readonly in: Texts;
  readonly behind?: Texts;
  readonly from?: string;
  readonly target?: string;
  /** Of every finding. @default the first of the check */
  readonly severity?: Severity;
  /** Parts of the message or the fix of the first finding. */
  readonly says?: readonly string[];
  /** Versions whose behaviour the first finding tells. */
  readonly left?: readonly string[];
};

/** What analyze would know of these texts. */
export function scanTexts({ in: texts, behind, from, target }: CheckCase): Scanned {
  const inputs = { files: filesOf(texts), unread: [] };
  const beyond = behind === undefined ? undefined : { files: filesOf(behind), unread: [] };
  return scan(inputs, beyond, {
    from: requireVersion(from, '--from-version'),
    target: requireVersion(target, '--to-version'),
  });
}

function filesOf(texts: Texts): SourceFile[] {
  const named = typeof texts === 'string' ? { 'in.yaml': texts } : texts;
  return Object.entries(named).map(([file, text]) => ({ file, text: text.replaceAll(mark, '') }));
}

/** `file:line:column` of every mark. */
function placesOf(texts: Texts): string[] {
  const named = typeof texts === 'string' ? { 'in.yaml': texts } : texts;
  return Object.entries(named).flatMap(([file, text]) =>
    text.split('\n').flatMap((line, row) => {
      const columns = line.split(mark).slice(0, -1);
      let column = 1;
      return columns.map((before) => {
        column += before.length;
        return `${file}:${row + 1}:${column}`;
      });
    }),
  );
}

const placeOf = ({ file, line, column }: Finding): string => `${file}:${line}:${column}`;

/** One test for each case: what the check finds and where, and what it passes. */
export function testCheck(
  check: Check,
  cases: {
    readonly finds: Readonly<Record<string, string | CheckCase>>;
    readonly passes: Readonly<Record<string, string | CheckCase>>;
  },
): void {
  const caseOf = (one: string | CheckCase): CheckCase => (typeof one === 'string' ? { in: one } : one);
  describe(check.code, () => {
    for (const [title, one] of Object.entries(cases.finds)) {
      test(`finds ${title}`, () => {
        const { severity = check.severities[0], says = [], left, ...texts } = caseOf(one);
        const findings = sortFindings(runChecks([check], scanTexts(texts)));
        expect(findings.map((finding) => placeOf(finding))).toEqual([
          ...placesOf(texts.in),
          ...placesOf(texts.behind ?? {}),
        ]);
        expect(findings.length).toBeGreaterThan(0);
        expect(findings.map((finding) => finding.severity)).toEqual(findings.map(() => severity));
        expect(findings.map(({ code }) => code)).toEqual(findings.map(() => check.code));
        const [first] = findings;
        for (const part of says) expect(`${first?.message}\n${first?.fix}`).toContain(part);
        if (left !== undefined) expect(first?.left.map((consequence) => versionsText(consequence))).toEqual(left);
      });
    }
    for (const [title, one] of Object.entries(cases.passes)) {
      test(`passes ${title}`, () => {
        const texts = caseOf(one);
        const scanned = scanTexts(texts);
        expect(scanned.unread).toEqual([]);
        expect(runChecks([check], scanned)).toEqual([]);
      });
    }
  });
}

/** `configSources` with these entries, each as YAML in flow form or an address. */
export const sources = (...entries: readonly string[]): string =>
  `configSources:\n${entries.map((entry) => (entry.startsWith('{') ? `- ${entry}\n` : `- address: ${entry}\n`)).join('')}`;

/** A Deployment with one container that has these arguments and variables. */
export function deployment(
  name: string,
  { image, args = [], env = [] }: { image: string; args?: readonly string[]; env?: readonly string[] },
): string {
  return [
    'apiVersion: apps/v1',
    'kind: Deployment',
    `metadata: { name: ${name}, namespace: istio-system }`,
    'spec:',
    '  template:',
    '    spec:',
    '      containers:',
    `      - name: ${name.replace(/^istio-/, '')}`,
    `        image: ${image}`,
    ...(args.length === 0 ? [] : ['        args:', ...args.map((arg) => `        - ${arg}`)]),
    ...(env.length === 0 ? [] : ['        env:', ...env.map((one) => `        - ${one}`)]),
    '',
  ].join('\n');
}

/** Standard input that holds a text. */
export const stdinOf = (text: string): Readable => Readable.from([Buffer.from(text)]);
