import type { Severity } from '../finding.ts';

/** A finding that says what could not be read, and is made while the inputs are. */
export type ReadingCode = {
  readonly code: string;
  readonly severity: Severity;
  readonly finds: string;
  readonly fix: string;
};

/** All of them, in the order of docs/migration-checks.md. The rest of the inputs is analysed all the same. */
export const readingCodes: readonly ReadingCode[] = [
  {
    code: 'YAML_INVALID',
    severity: 'error',
    finds: 'A document, or a mesh config in a ConfigMap, that is no YAML.',
    fix: 'Correct it: nothing of that document was analysed.',
  },
  {
    code: 'YAML_DUPLICATE_KEY',
    severity: 'error',
    finds: 'The same key twice in one map: which one counts depends on who reads it.',
    fix: 'Keep one: nothing of that document was analysed.',
  },
  {
    code: 'MESH_CONFIG_INVALID',
    severity: 'error',
    finds: 'A mesh config that is no text where it has to be one, no map, or several documents.',
    fix: 'Correct it: it was not analysed.',
  },
  {
    code: 'TEMPLATE',
    severity: 'warning',
    finds: 'A Helm template, which is no YAML.',
    fix: 'Analyse what comes out: `helm template … > all.yaml`.',
  },
  {
    code: 'FILE_UNREAD',
    severity: 'warning',
    finds: 'A file in a folder that can’t be read, or is no UTF-8.',
    fix: 'Mend that: nothing of it was analysed.',
  },
  {
    code: 'LIMIT_REACHED',
    severity: 'warning',
    finds:
      'A file of more than 16 MiB, or a folder with more than 5,000 files, 128 MiB, or 32 folders inside each other.',
    fix: 'Give what it is about by itself.',
  },
  {
    code: 'CLUSTER_UNREAD',
    severity: 'warning',
    finds:
      'A kind of a cluster that this user may not read, or that the API server can’t list, or a mesh config that is not there.',
    fix: 'Give the right that it names: nothing of that kind was analysed.',
  },
];
