import type pc from 'picocolors';
import { isRecord } from '../model/record.ts';

type Colors = ReturnType<typeof pc.createColors>;

/** What pino calls the levels. */
const levels: Readonly<Record<number, readonly [name: string, color: 'gray' | 'green' | 'yellow' | 'red']>> = {
  20: ['debug', 'gray'],
  30: ['info', 'green'],
  40: ['warn', 'yellow'],
  50: ['error', 'red'],
};

/** Of the longest name of a component. */
const componentWidth = 13;

/**
 * One line of the log for people: time, level, component, sentence, and the fields behind it as `key=value`; below it what is
 * to be done. Texts of peers are in it, so nothing is left that would command a terminal, or make a second line.
 * @param line of JSON, as it is elsewhere.
 */
export function textOf(line: string, colors: Colors): string {
  const fields: unknown = JSON.parse(line);
  if (!isRecord(fields)) return plain(line);
  const { level, time, component, msg, hint, err, ...others } = fields;
  const [name, color] = levels[Number(level)] ?? ['?', 'gray'];
  const parts = [
    colors.dim(textIn(time).slice(11, 23)),
    colors[color](name.padEnd(5)),
    colors.cyan(textIn(component).padEnd(componentWidth)),
    colors.bold(textIn(msg)),
    ...Object.entries(others).map(([key, value]) => `${colors.dim(`${plain(key)}=`)}${valueText(value)}`),
  ];
  const below = [hint === undefined ? undefined : `${colors.dim('→')} ${textIn(hint)}`, ...stackOf(err)];
  return [parts.join(' '), ...below.flatMap((one) => (one === undefined ? [] : `             ${one}`)), ''].join('\n');
}

function stackOf(err: unknown): string[] {
  if (err === undefined) return [];
  if (!isRecord(err)) return [valueText(err)];
  return String(err['stack'] ?? err['message'])
    .split('\n')
    .map(plain);
}

function valueText(value: unknown): string {
  const isList = Array.isArray(value) && value.every((one) => typeof one === 'string' || typeof one === 'number');
  const text = isList ? plain(value.join(',')) : textIn(value);
  return text === '' || /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

/** A value of a line as text. */
function textIn(value: unknown): string {
  if (value === undefined) return '';
  return plain(typeof value === 'string' ? value : JSON.stringify(value));
}

/** Without control characters, those of C1 too, and without what turns the direction of a text. */
function plain(text: string): string {
  return text.replaceAll(/[\p{Cc}\u2028\u2029\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, (one) => {
    return `\\u${(one.codePointAt(0) ?? 0).toString(16).padStart(4, '0')}`;
  });
}
