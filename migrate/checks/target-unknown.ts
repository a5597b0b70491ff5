import { isNetwork } from '../scan/address.ts';
import { allSources, type Check } from './check.ts';

export const targetUnknown: Check = {
  code: 'TARGET_UNKNOWN',
  severities: ['info'],
  finds: 'That the target version was neither given nor seen.',
  left: [],
  fix: 'Give `--to-version`.',
  source: 'nothing is guessed',
  applicable: (scanned) =>
    scanned.target === undefined && allSources(scanned).some(({ source }) => isNetwork(source.address)),
  run: ({ top }) => [
    {
      at: top,
      message: 'the version of istiod after the migration is not known: every finding tells what each version does',
      fix: 'give it with --to-version, for example --to-version 1.24',
    },
  ],
};
