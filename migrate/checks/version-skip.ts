import type { Check } from './check.ts';

export const versionSkip: Check = {
  code: 'VERSION_SKIP',
  severities: ['warning'],
  finds: 'A target more than one minor version above what runs.',
  left: [],
  fix: 'Go one minor version at a time, or by a control plane of its own revision.',
  source:
    'istio.io, In-place Upgrades, 1.8 to latest: no more than one minor version; istioctl upgrade 1.8 to 1.12 warns, and refuses what is older than 1.6',
  applicable: ({ from, target }) => from !== undefined && target !== undefined && target.minor > from.minor + 1,
  run({ from, target, fromAt }) {
    if (from === undefined || target === undefined) return [];
    const count = target.minor - from.minor;
    const old = from.minor < 6 ? '; istioctl upgrade begins at 1.6' : '';
    return [
      {
        at: fromAt,
        message: `from ${from.text} to ${target.text} are ${count} minor versions: Istio supports an upgrade in place by one at a time${old}`,
        fix: `go by one at a time, or install ${target.text} as a revision of its own beside the old one; the bridge feeds every istiod since 1.9, and with --legacy-listen Pilots up to 1.8 as well, at the same time`,
      },
    ];
  },
};
