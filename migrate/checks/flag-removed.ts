import { pilotFlagCheck } from './check.ts';

type Removed = { readonly last: string; readonly instead: string };

const server = 'remove it; the server that it names is a source of the bridge: --source NAME=mcp://HOST:PORT';
const consul = 'remove it; a legacy MCP server of Consul (such as consul-mcp) is a source of the bridge';
const sizes = 'remove it; the bridge takes messages up to maxMessage of its source, 256 MiB by default';

const removed: Readonly<Record<string, Removed>> = {
  mcpServerAddrs: { last: '1.1', instead: server },
  consulserverURL: { last: '1.7', instead: consul },
  consulserverInterval: { last: '1.4', instead: consul },
  mcpMaxMsgSize: { last: '1.8', instead: sizes },
  mcpInitialWindowSize: { last: '1.8', instead: 'remove it' },
  mcpInitialConnWindowSize: { last: '1.8', instead: 'remove it' },
};

export const flagRemoved = pilotFlagCheck({
  code: 'FLAG_REMOVED',
  severities: ['error'],
  finds: `A flag of Pilot that istiod 1.9 and newer does not have: ${Object.keys(removed)
    .map((name) => `\`--${name}\``)
    .join(', ')}.`,
  left: [
    { from: 9, to: 14, what: 'does not start: unknown flag' },
    { from: 15, what: 'passes over it without a word' },
  ],
  fix: 'Remove it.',
  source: 'Istio pilot/cmd/pilot-discovery, 1.1 to 1.30; unknown flags are let through since 1.15',
  look({ name, at }, { subject }, { target }) {
    const flag = Object.hasOwn(removed, name) ? removed[name] : undefined;
    if (flag === undefined) return undefined;
    return {
      at,
      message: `${subject}: the last Istio with --${name} was ${flag.last}`,
      fix: flag.instead,
      severity: target !== undefined && target.minor >= 15 ? 'warning' : 'error',
    };
  },
});
