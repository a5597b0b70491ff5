import { sourceCheck, initConfigSources } from './check.ts';

export const addressWithoutPort = sourceCheck({
  code: 'ADDRESS_WITHOUT_PORT',
  severities: ['error'],
  finds: 'An `xds://` address without a port; there is no default.',
  left: [{ from: 9, what: 'does not start: exit code 255' }],
  fix: 'Add the port of the bridge, by default 15410.',
  source: initConfigSources,
  look({ source }) {
    const { address } = source;
    if (address.form !== 'xdsWithoutPort') return undefined;
    const fix = `add the port of the server, as in xds://${address.host}:15410 for Isthmus with its default`;
    return { at: source.at(['address']), message: `"${address.shown}" has no port, and istiod knows no default`, fix };
  },
});
