import { isNetwork } from '../scan/address.ts';
import { allSources, type Check } from './check.ts';

export const targetTraits: Check = {
  code: 'TARGET_TRAITS',
  severities: ['info'],
  finds:
    'What the target version does as a client of a config source that one should know; the bridge copes with all of it.',
  left: [
    { from: 9, to: 11, what: 'takes 4 MiB in one message, and any answer for MeshConfig freezes it for ever' },
    {
      from: 10,
      to: 11,
      what: 'never reconnects after its 11th disconnect: restart it after that many restarts of the bridge',
    },
    { from: 10, to: 13, what: 'validates nothing, and panics over a resource without metadata or of another kind' },
    { from: 9, to: 15, what: 'burns a CPU in a loop while the bridge is away for longer than 15 minutes' },
    { from: 9, to: 16, what: 'sends no keepalive: a connection that is half dead is never noticed' },
    {
      from: 13,
      to: 18,
      what: 'throws away what is labelled istio.io/rev for another revision; without a revision of its own, all that is labelled',
    },
    {
      from: 16,
      what: 'waits exactly 60 s before it comes back where a stream older than 15 minutes breaks (the bridge ends its streams itself before that)',
    },
    {
      from: 24,
      what: 'asks for most kinds as v1: servers of MCP-over-xDS that answer for v1alpha3 alone give it nothing',
    },
    { from: 9, to: 29, what: 'serves wrong endpoints where two of its sources have the same namespace/name' },
  ],
  fix: 'Nothing, with Isthmus alone: it does about each what a server can.',
  source: 'run on 1.9.9, 1.11.8, 1.12.9, 1.18.1, 1.24.0, 1.30.3; the rest is by Istio’s source',
  applicable: (scanned) =>
    scanned.target !== undefined && allSources(scanned).some(({ source }) => isNetwork(source.address)),
  run(scanned) {
    const first = allSources(scanned).find(({ source }) => isNetwork(source.address));
    if (first === undefined) return [];
    const message = `istiod ${scanned.target?.text} as a client of a config source`;
    return [
      {
        at: first.source.at([]),
        message,
        fix: 'nothing, with Isthmus alone: it does about each what a server can; see that other servers do',
      },
    ];
  },
};
