import { isLegacy, targetText } from '../scan/address.ts';
import { type Check, initConfigSources } from './check.ts';

export const alreadyMigrated: Check = {
  code: 'ALREADY_MIGRATED',
  severities: ['info'],
  finds: 'A mesh config with an `xds://` source and no legacy one.',
  left: [],
  fix: 'Nothing to migrate; see that it works.',
  source: initConfigSources,
  applicable: ({ meshConfigs }) => meshConfigs.length > 0,
  run: ({ meshConfigs }) =>
    meshConfigs.flatMap(({ sources, subject }) => {
      const xds = sources.find(({ address }) => address.form === 'xds');
      if (xds === undefined || sources.some(({ address }) => isLegacy(address))) return [];
      const { shown } = xds.address;
      return [
        {
          at: xds.at(['address']),
          message: `${subject}: ${shown} is MCP-over-xDS already, and no legacy source is left`,
          fix: `see that it works: isthmus check xds://${targetText(xds.address)}, from a Pod beside istiod`,
        },
      ];
    }),
};
