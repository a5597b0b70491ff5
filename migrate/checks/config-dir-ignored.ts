import type { Check } from './check.ts';

export const configDirIgnored: Check = {
  code: 'CONFIG_DIR_IGNORED',
  severities: ['warning'],
  finds: '`--configDir` beside `configSources`.',
  left: [{ from: 9, what: 'reads nothing of that folder: configSources takes its place' }],
  fix: 'List the folder as a source, `fs:///FOLDER`.',
  source: 'Istio pilot/pkg/bootstrap/configcontroller.go, initConfigController',
  applicable: ({ programs, meshConfigs }) =>
    programs.length > 0 && meshConfigs.some(({ sources }) => sources.length > 0),
  run: ({ programs }) =>
    programs
      .filter(({ role }) => role === 'pilot')
      .flatMap(({ flags, subject }) =>
        flags
          .filter(({ name, value = '' }) => name === 'configDir' && value !== '')
          .map(({ at, value = '' }) => ({
            at,
            message: `${subject}: --configDir ${value} is not read, because there are configSources`,
            fix: `list it in configSources, "- address: fs://${value.startsWith('/') ? '' : '/'}${value}", or remove the flag`,
          })),
      ),
};
