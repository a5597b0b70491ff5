import { sourceCheck, initConfigSources } from './check.ts';
import { bridgeFix } from './legacy-address.ts';

export const addressBareIp = sourceCheck({
  code: 'ADDRESS_BARE_IP',
  severities: ['error'],
  finds:
    'The same with an IP address, or another host that Go’s URL parser can’t take for a scheme (`10.0.0.1:9901`, `[::1]:9901`, `my_host:9901`).',
  left: [
    {
      from: 9,
      what: 'does not start: exit code 255, “invalid config URL”',
    },
  ],
  fix: 'Let the bridge read that server, and write the bridge’s address in its place.',
  source: `${initConfigSources}; Go net/url Parse`,
  look({ source }) {
    const { address } = source;
    if (address.form !== 'ip') return undefined;
    const message = `"${address.shown}" has no scheme, and can’t be parsed as a URL: a legacy MCP server, which no istiod since 1.9 can read`;
    return { at: source.at(['address']), message, fix: bridgeFix(source) };
  },
});
