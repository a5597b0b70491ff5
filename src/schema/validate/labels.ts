import { isLabelName, isLabelValue } from '../../model/labels.ts';
import { valueText, type Path } from '../problem.ts';
import { eachEntry, type Report } from './violation.ts';

type Labels = Readonly<Record<string, string>>;

/** Reports names and values that are no labels of Istio. */
export function checkLabels(report: Report, at: Path, labels: Labels | undefined): void {
  eachEntry(labels, at, (name, value, here) => {
    if (!isLabelName(name)) {
      const hint = 'write it as in "app" or "example.com/app", 63 characters at most after the slash';
      report('labels', here, `${valueText(name)} is no name of a label`, hint);
    }
    if (!isLabelValue(value)) {
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
