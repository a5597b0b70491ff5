import { sourceCheck, initConfigSources } from './check.ts';

export const addressParts = sourceCheck({
  code: 'ADDRESS_PARTS',
  severities: ['warning'],
  finds: 'An `xds://` address with a path, a query or a user.',
  left: [{ from: 9, what: 'uses host and port alone, and says nothing about the rest' }],
  fix: 'Leave it away: nothing of it reaches the server.',
  source: initConfigSources,
  look({ source }) {
    const { address } = source;
    if (address.ignored.length === 0) return undefined;
    const at = source.at(['address']);
    const message = `istiod takes no notice of ${address.ignored.join(' and ')} in an xds:// address`;
    const isSecret = address.ignored.includes('the user part');
    const fix = `write xds://HOST:PORT alone${isSecret ? '; no istiod sends credentials to a config source: protect the bridge by a NetworkPolicy' : ''}`;
    return { at, message, fix };
  },
});
