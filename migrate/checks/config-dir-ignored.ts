import { pilotFlagCheck } from './check.ts';

export const configDirIgnored = pilotFlagCheck({
  code: 'CONFIG_DIR_IGNORED',
  severities: ['warning'],
  finds: '`--configDir` beside `configSources`.',
  left: [{ from: 9, what: 'reads nothing of that folder: configSources takes its place' }],
  fix: 'List the folder as a source, `fs:///FOLDER`.',
  source: 'Istio pilot/pkg/bootstrap/configcontroller.go, initConfigController',
  look({ name, value = '', at }, { subject }, { meshConfigs }) {
    if (name !== 'configDir' || value === '' || meshConfigs.every(({ sources }) => sources.length === 0))
      return undefined;
    return {
      at,
      message: `${subject}: --configDir ${value} is not read, because there are configSources`,
      fix: `list it in configSources, "- address: fs://${value.startsWith('/') ? '' : '/'}${value}", or remove the flag`,
    };
  },
});
