import { countOf, sizeText } from '../../src/model/texts.ts';
import { renderField } from '../../src/cli/diff-report.ts';
import { colorsOf, oneLine } from '../../src/cli/terminal.ts';
import {
  type AdminReport,
  type BridgeReport,
  type DirectReport,
  type IstiodReport,
  isLoss,
  type Problem,
  type Remark,
  type ResourceReport,
  type ResourceStatus,
  type VerifyReport,
} from './report.ts';

/** Resources of each side that are shown; the JSON form has all. */
const maxShown = 50;

/** Characters that are written at once. */
const pieceLength = 1 << 16;

/** Each status as a reader meets it first. */
const meanings: Readonly<Record<ResourceStatus, string>> = {
  missing: 'missing',
  changed: 'changed',
  extra: 'extra',
  shadowed: 'twice',
  refused: 'refused',
  byRevision: 'left out',
  unreadable: 'unreadable',
};

/** For people: each side on a line, below it what differs there, then what else is wrong, and the verdict last. */
export function renderReport(report: VerifyReport): string {
  const { bridge, admin, istiods, direct, problems } = report;
  const lines = [
    ...renderBridge(bridge, report.toVersion),
    ...(admin === null ? [] : renderAdmin(admin)),
    ...direct.flatMap(renderDirect),
    ...istiods.flatMap(renderIstiod),
  ];
  if (problems.length > 0) lines.push('', ...problems.flatMap(renderProblem));
  return [...lines, '', renderVerdict(report)].join('\n');
}

function renderBridge({ address, error, resources, kinds, silent }: BridgeReport, version: string | null): string[] {
  const as = `as istiod ${version ?? 'of a new version'}`;
  if (error !== null) return [head('bridge', `xds://${address}`, `${as}: it can't be asked`), ...renderError(error)];
  const held = kinds.filter((one) => one.resources > 0);
  const bytes = held.reduce((sum, one) => sum + one.bytes, 0);
  const what = `${countOf(resources, 'resource')} of ${countOf(held.length, 'kind')}, ${sizeText(bytes)}`;
  const open = silent.length > 0 ? `; nothing yet of ${silent.join(', ')}` : '';
  return [head('bridge', `xds://${address}`, `${as}: ${what}${open}`)];
}

function renderAdmin({ url, error, ready, complete, sources, quarantined }: AdminReport): string[] {
  if (error !== null) return [head('sources', url, "it can't be asked"), ...renderError(error)];
  const state = `${ready === true ? 'ready' : 'not ready'}, ${complete === true ? 'complete' : 'not complete'}`;
  const lines = [head('sources', url, state)];
  for (const { name, connection, kinds } of sources) {
    const sum = (of: 'received' | 'effective' | 'held') => kinds.reduce((total, kind) => total + kind[of], 0);
    const held = sum('held') > 0 ? `, of which it removed ${sum('held')}` : '';
    lines.push(
      oneLine(`  ${name}: ${connection}; it has sent ${sum('received')}, ${sum('effective')} are served${held}`),
    );
  }
  for (const { source, kind, name, message, sent } of quarantined.slice(0, maxShown)) {
    lines.push(oneLine(`  quarantined ${kind} ${name} of ${source} (sent: ${sent}): ${message}`));
  }
  return [...lines, ...more(quarantined.length)];
}

function renderIstiod(istiod: IstiodReport): string[] {
  const { error, version, ready, equal, elsewhere, differences } = istiod;
  const url = istiod.pod ?? istiod.url;
  const isReady = ready === null ? [] : [ready ? 'ready' : 'not ready'];
  const about = [...(version === null ? [] : [version]), ...isReady].join(', ');
  const as = about === '' ? '' : `${about}: `;
  if (error !== null) return [head('istiod', url, `${as}it can't be compared`), ...renderError(error)];
  if (!istiod.compared) return [head('istiod', url, `${as}not compared`)];
  const others = Object.values(elsewhere).reduce((sum, count) => sum + count, 0);
  const from = others > 0 ? `, ${others} from elsewhere` : '';
  return [
    head('istiod', url, `${as}${equal} equal${countsOf(differences)}${from}`),
    ...renderDifferences(differences),
    ...renderRemarks('not shown as JSON, so not compared', istiod.notCompared),
    ...renderRemarks('sent, and passed over by this istiod', istiod.passedOver),
  ];
}

function renderDirect({ address, error, equal, notThere, differences }: DirectReport): string[] {
  if (error !== null) return [head('server', address, "it can't be asked"), ...renderError(error)];
  const others = notThere > 0 ? `, ${notThere} served that it does not have` : '';
  return [
    head('server', address, `${equal} equal${countsOf(differences)}${others}`),
    ...renderDifferences(differences),
  ];
}

function countsOf(differences: readonly ResourceReport[]): string {
  const counts = new Map<ResourceStatus, number>();
  for (const { status } of differences) counts.set(status, (counts.get(status) ?? 0) + 1);
  return Array.from(counts, ([status, count]) => `, ${count} ${meanings[status]}`).join('');
}

function renderDifferences(differences: readonly ResourceReport[]): string[] {
  const { red, yellow } = colorsOf(process.stdout);
  const lines = differences.slice(0, maxShown).flatMap(({ status, kind, name, why, fields = [] }) => [
    (status === 'byRevision' ? yellow : red)(
      oneLine(`  ${meanings[status]} ${kind} ${name}${why === undefined ? '' : `: ${why}`}`),
    ),
    ...fields.map(({ path, ...values }) =>
      renderField({
        path,
        ...('bridge' in values ? { a: values.bridge } : {}),
        ...('istiod' in values ? { b: values.istiod } : {}),
        ...('server' in values ? { b: values.server } : {}),
      }),
    ),
  ]);
  return [...lines, ...more(differences.length)];
}

function renderRemarks(title: string, remarks: readonly Remark[]): string[] {
  return [
    ...remarks
      .slice(0, maxShown)
      .map(({ kind, name, what }) => oneLine(`  ${title}: ${kind} ${name}: ${what.join('; ')}`)),
    ...more(remarks.length),
  ];
}

const more = (count: number): string[] =>
  count > maxShown ? [`  and ${count - maxShown} more; -o json has all of them`] : [];

function renderProblem({ severity, code, subject, what, next }: Problem): string[] {
  const { red, yellow } = colorsOf(process.stdout);
  const sign = severity === 'error' ? red(code) : yellow(code);
  return [`${sign} ${oneLine(`${subject}: ${what}`)}`, oneLine(`  ${next}`)];
}

function renderError({ message, hint }: { message: string; hint: string | null }): string[] {
  const { red } = colorsOf(process.stdout);
  return [red(oneLine(`  ${message}`)), ...(hint === null ? [] : [oneLine(`  ${hint}`)])];
}

const head = (what: string, address: string, text: string): string => oneLine(`${what.padEnd(7)}  ${address}  ${text}`);

function renderVerdict({ verdict, bridge, istiods, direct, problems }: VerifyReport): string {
  const { green, red } = colorsOf(process.stdout);
  const who = countOf(istiods.length, 'istiod');
  if (verdict === 'equal')
    return green(`equal: ${who} with the ${countOf(bridge.resources, 'resource')} of the bridge`);
  if (verdict === 'unknown')
    return red('not known: a side could not be asked, or does not say all yet; nothing is proved');
  const errors = problems.filter(({ severity }) => severity === 'error').length;
  const counted = [...istiods, ...direct].flatMap(({ differences }) => differences).filter(isLoss).length;
  const parts = [
    ...(counted > 0 ? [`${countOf(counted, 'difference')} in ${who}`] : []),
    ...(errors > 0 ? [countOf(errors, 'problem')] : []),
  ];
  return red(`different: ${parts.join(', ') || 'see above'}`);
}

/**
 * For programs: the report as JSON, in pieces, since that of a hundred thousand differences is better not made as one text.
 */
export function* exportReport(report: VerifyReport): Generator<string> {
  let text = '';
  for (const piece of piecesOf(report, '')) {
    text += piece;
    if (text.length < pieceLength) continue;
    yield text;
    text = '';
  }
  yield `${text}\n`;
}

function* piecesOf(value: unknown, indent: string): Generator<string> {
  const inner = `${indent}  `;
  if (Array.isArray(value) && value.length > 0) {
    yield '[';
    for (const [i, item] of value.entries()) {
      yield `${i === 0 ? '' : ','}\n${inner}`;
      yield* piecesOf(item, inner);
    }
    yield `\n${indent}]`;
    return;
  }
  const isDeep = typeof value === 'object' && value !== null && Object.values(value).some((one) => Array.isArray(one));
  if (!isDeep) {
    yield JSON.stringify(value);
    return;
  }
  yield '{';
  for (const [i, [name, one]] of Object.entries(value).entries()) {
    yield `${i === 0 ? '' : ','}\n${inner}${JSON.stringify(name)}: `;
    yield* piecesOf(one, inner);
  }
  yield `\n${indent}}`;
}
