import { sourceCheck, initConfigSources } from './check.ts';
import { bridgeFix } from './legacy-address.ts';

export const addressLegacy = sourceCheck({
  code: 'ADDRESS_LEGACY',
  severities: ['error'],
  finds: 'An address without a scheme, `HOST:PORT`: a legacy MCP server, as Pilot up to 1.8 dialled it.',
  left: [
    {
      from: 9,
      what: 'passes over it with the warning “Ignoring unsupported config source”: it becomes ready with nothing of this source, so every service of it is gone',
    },
  ],
  fix: 'Let the bridge read that server, and write the bridge’s address in its place.',
  source: initConfigSources,
  look({ source }) {
    const { address } = source;
    if (address.form !== 'name') return undefined;
    const message = `"${address.shown}" has no scheme: a legacy MCP server, which no istiod since 1.9 can read`;
    return { at: source.at(['address']), message, fix: bridgeFix(source) };
  },
});
