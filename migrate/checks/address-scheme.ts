import { sourceCheck, initConfigSources } from './check.ts';
import { bridgeFix } from './legacy-address.ts';

export const addressScheme = sourceCheck({
  code: 'ADDRESS_SCHEME',
  severities: ['error'],
  finds: 'A scheme other than `xds`, `k8s` and `fs`, such as `mcp://`.',
  left: [
    {
      from: 9,
      what: 'passes over it with the warning “Ignoring unsupported config source”: it becomes ready with nothing of this source',
    },
  ],
  fix: 'Write `xds://HOST:PORT` of the bridge.',
  source: initConfigSources,
  look({ source }) {
    const { address } = source;
    if (address.form !== 'otherScheme') return undefined;
    const isMcp = address.scheme === 'mcp' || address.scheme === 'mcps';
    const more = isMcp ? ', and Pilot up to 1.8 had no such scheme here either' : '';
    const message = `"${address.shown}" has the scheme ${address.scheme}, which no istiod knows${more}`;
    return { at: source.at(['address']), message, fix: bridgeFix(source) };
  },
});
