import type { Argv } from 'yargs';
import { loadConfig, loadConfigAgain } from '../config/load.ts';
import { levelsOf } from '../config/schema.ts';
import { packageVersion } from '../model/package.ts';
import { collectLessOften } from './heap-growth.ts';
import { type ConfigFlags, configOf, configOptions } from './config-flags.ts';
import { examples } from './examples.ts';
import { onHangup } from './hangup.ts';
import { interrupted } from './terminal.ts';

export function builder(yargs: Argv) {
  return configOptions(yargs)
    .usage('$0 serve [options]\n\nRuns the bridge until SIGTERM or Ctrl-C. SIGHUP reads the config file again.')
    .epilogue(examples(['isthmus serve --source galley=mcp://127.0.0.1:9901', 'bridge one legacy server']));
}

export async function handler(flags: ConfigFlags): Promise<void> {
  const { config: file } = flags;
  const given = configOf(flags);
  const config = loadConfig(file, given);
  collectLessOften();
  // The bridge is loaded for a config that can be read: a mistake is said at once.
  const [{ App }, { createLog }, { createMetrics }] = await Promise.all([
    import('../app.ts'),
    import('../observe/log.ts'),
    import('../observe/metrics.ts'),
  ]);
  const version = packageVersion();
  const { of: logOf, levels: logLevels, recent: recentLog } = createLog(levelsOf(config), config.log.format);
  const log = logOf('bridge');
  const app = new App({
    config,
    logOf,
    logLevels,
    recentLog,
    metrics: createMetrics(version),
    version,
    configFile: file,
    readConfig: file === undefined ? undefined : () => loadConfigAgain(file, given),
  });
  const signal = interrupted();
  const started = app.start();
  // A slow disk or a long look at what was saved may keep it from being done: nobody has to wait for that to end it.
  const isEarly = await Promise.race([started.then(() => false), signal.then(() => true)]);
  if (isEarly) started.catch(() => {});
  else onHangup(() => void app.reload());
  log.info({ signal: await signal }, 'shutting down');
  await app.stop();
  log.info({}, 'stopped');
}
