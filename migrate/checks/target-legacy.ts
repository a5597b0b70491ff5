import { xdsOnlyMinor } from '../version.ts';
import type { Check } from './check.ts';

export const targetLegacy: Check = {
  code: 'TARGET_LEGACY',
  severities: ['info'],
  finds: 'A target up to 1.8, which reads legacy MCP itself.',
  left: [],
  fix: 'Nothing has to be migrated for it.',
  source: 'the client of legacy MCP went in 1.9.0 (istio pull request 28634)',
  applicable: ({ target }) => target !== undefined && target.minor < xdsOnlyMinor,
  run: ({ target, top }) => [
    {
      at: top,
      message: `Istio ${target?.text} still reads legacy MCP: nothing has to be migrated for it`,
      fix: 'give --to-version 1.9 or newer to see what that one does; the bridge can feed this one too (docs/legacy-output.md)',
    },
  ],
};
