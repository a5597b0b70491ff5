/**
 * A bridge as `isthmus serve` makes it, with or without what lets people watch it:
 * `bridge.js SOURCE-PORT XDS-PORT ADMIN-PORT on|off`. The one place where that is switched.
 */
import { App, type AppOptions } from '../../src/app.ts';
import { collectLessOften } from '../../src/cli/heap-growth.ts';
import { configSchema } from '../../src/config/schema.ts';
import { packageVersion } from '../../src/model/package.ts';
import { silentReporter } from '../../src/model/reporter.ts';
import { createLog } from '../../src/observe/log.ts';
import { createMetrics, type Metrics } from '../../src/observe/metrics.ts';
import { collection } from './service-entries.ts';

const [sourcePort, xdsPort, adminPort, watching] = process.argv.slice(2);

/** Counts nothing, and has nothing to say. */
const noMetrics: Metrics = {
  reporter: silentReporter,
  contentType: 'text/plain',
  themes: [],
  render: async () => '',
  watch() {},
};

collectLessOften();
const version = packageVersion();
const watched: Pick<AppOptions, 'metrics' | 'journal'> =
  watching === 'on' ? { metrics: createMetrics(version) } : { metrics: noMetrics, journal: false };

const config = configSchema.parse({
  sources: [{ name: 'bench', address: `mcp://127.0.0.1:${sourcePort}`, collections: [collection] }],
  xds: { listen: `127.0.0.1:${xdsPort}` },
  admin: { listen: `127.0.0.1:${adminPort}` },
  debounce: { after: '0ms' },
  guard: { hold: '0s' },
  quarantine: { invalid: 'ignore' },
});
await new App({
  config,
  logOf: createLog({ level: 'info', components: {} }).of,
  version,
  configFile: undefined,
  readConfig: undefined,
  ...watched,
}).start();
