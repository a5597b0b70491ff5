import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';

/** Where the rules for Prometheus are. */
export const rulesFile = join(import.meta.dirname, '../../grafana/rules/isthmus.rules.yaml');

type Rule = {
  readonly expr: string;
  /** Of an alert. */
  readonly alert?: string;
  readonly for?: string;
  readonly labels?: Readonly<Record<string, string>>;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Of a recording rule: the name of what it makes. */
  readonly record?: string;
};

/** A file of rules as Prometheus reads it. */
export type RuleFile = { readonly groups: readonly { readonly name: string; readonly rules: readonly Rule[] }[] };

export function readRules(): RuleFile {
  return parse(readFileSync(rulesFile, 'utf8')) as RuleFile;
}

/** Names of all alerts, in order. */
export function alertNames(): string[] {
  return readRules().groups.flatMap(({ rules }) => rules.flatMap(({ alert }) => alert ?? []));
}
