import { valueText, type Path } from '../problem.ts';
import { isDnsLabel } from './domains.ts';
import { each, type Report } from './violation.ts';

const path: Path = ['spec', 'exportTo'];

export type ExportToOptions = {
  /** True where `~`, nobody, may be said: of a ServiceEntry. @default false */
  readonly nobody?: boolean;
  /** True where only the namespace itself may be named: of a DestinationRule with a selector. @default false */
  readonly ownOnly?: boolean;
};

/** Reports what exportTo can't say. Source: pkg/config/validation validateExportTo, 1.14 to 1.31. */
export function checkExportTo(
  report: Report,
  exportTo: readonly string[] | undefined,
  namespace: string,
  { nobody = false, ownOnly = false }: ExportToOptions = {},
): void {
  const seen = new Set<string>();
  each(exportTo, path, (entry, at) => {
    const target = entry === '.' ? namespace : entry;
    if (seen.has(target)) {
      report('duplicates', at, `${valueText(target)} is named twice`, 'name each namespace once; "." is its own');
    } else if (target === '.' || target === '*' || isDnsLabel(target) || (nobody && target === '~')) seen.add(target);
    else {
      const hint = `write "." (this namespace), "*" (all)${nobody ? ', "~" (none)' : ''} or the name of a namespace`;
      report('export_to', at, `${valueText(target)} is no namespace`, hint);
    }
  });
  const alone = ['*', '~'].find((entry) => seen.has(entry));
  if (alone !== undefined && (exportTo ?? []).length > 1) {
    report('export_to', path, `${valueText(alone)} stands beside others`, `write ${valueText(alone)} alone`);
  }
  if (ownOnly && seen.size > 0 && (seen.size > 1 || !seen.has(namespace))) {
    const message = 'names other namespaces, and a rule with a workloadSelector works in its own only';
    report('export_to', path, message, 'write ".", or remove the selector');
  }
}
