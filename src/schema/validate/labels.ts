import { valueText, type Path } from '../problem.ts';
import { eachEntry, type Report } from './violation.ts';

type Labels = Readonly<Record<string, string>>;

const dnsLabel = '[a-zA-Z0-9](?:[-a-zA-Z0-9]*[a-zA-Z0-9])?';
const qualified = '(?:[A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const keyPattern = new RegExp(`^(?:(${dnsLabel}(?:\\.${dnsLabel})*)/)?(${qualified})$`);
const valuePattern = new RegExp(`^(?:${qualified})?$`);
const maxPrefix = 253;
const maxName = 63;

/**
 * Reports names and values that are no Kubernetes labels; a long value is one here.
 * Source: pkg/config/labels/instance.go Validate, 1.14 to 1.31.
 */
export function checkLabels(report: Report, at: Path, labels: Labels | undefined): void {
  eachEntry(labels, at, (name, value, here) => {
    const [found, prefix = '', last = ''] = keyPattern.exec(name) ?? [];
    if (found === undefined || prefix.length > maxPrefix || last.length > maxName) {
      const hint = 'write it as in "app" or "example.com/app", 63 characters at most after the slash';
      report('labels', here, `${valueText(name)} is no name of a label`, hint);
    }
    if (!valuePattern.test(value)) {
      const hint = 'use letters, digits, "-", "_" and ".", beginning and ending with a letter or digit';
      report('labels', here, `${valueText(value)} is no value of a label`, hint);
    }
  });
}

/**
 * Reports what can't select: an empty name, and `*` in a name or value.
 * Source: pkg/config/validation ValidateAlphaWorkloadSelector and validateWorkloadSelector, 1.14 to 1.31.
 */
export function checkSelector(report: Report, at: Path, labels: Labels | undefined): void {
  eachEntry(labels, at, (name, value, here) => {
    if (name === '') report('selectors', here, 'has an empty name', 'write the name of a label');
    if (name.includes('*') || value.includes('*')) {
      const message = `${valueText(`${name}=${value}`)} holds "*", and a selector has no wildcards`;
      report('selectors', here, message, 'name the labels in full');
    }
  });
}
