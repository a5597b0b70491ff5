import { expect, test } from 'vitest';
import { renderText } from '../../../../migrate/report/text.ts';
import { longReport, sampleReport } from '../../../support/migrate/report-sample.ts';

test('worst first, with the place, the code, what happens if it is left, what to do, and a count', () => {
  expect(renderText(sampleReport, 60)).toBe(`mesh/istio.yaml:3:12  error  ADDRESS_LEGACY
    "nacos:18848" has no scheme
    if left: 1.9 and newer passes over it
    → write xds://HOST:PORT

a \`b\` #%.yaml:3:12  warning  TLS_IGNORED
    mode  [31m<b>*SIMPLE*</b> | is ignored
    if left: 1.9 to 1.25 ignores it
    if left: 1.9 more
    → write xds://HOST:PORT

mesh/istio.yaml:1:1  info  TARGET_UNKNOWN
    not known
    → write xds://HOST:PORT

1 error, 1 warning, 1 remark (from 1.8.6 to any version)`);
});

test('of many alike, five are shown, and the rest is counted', () => {
  const text = renderText(longReport, 100);
  expect(text.match(/rule r\d+/g)).toEqual(['rule r0', 'rule r1', 'rule r2', 'rule r3', 'rule r4']);
  expect(text).toContain('and 95 more like it (-o json has all)\n\n100 warnings');
});

test('nothing to say is said', () => {
  expect(renderText({ ...sampleReport, findings: [] }, 60)).toBe('nothing to say (from 1.8.6 to any version)');
});

test('no line is wider than the terminal, but for words that are', () => {
  const lines = renderText(sampleReport, 40).split('\n');
  expect(lines.filter((line) => line.startsWith(' ') && line.length > 40)).toEqual([]);
});
