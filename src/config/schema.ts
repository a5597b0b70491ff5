import { z } from 'zod';
import { kindOfCollection, knownCollections } from '../model/kinds.ts';
import { parseHostPort } from '../net/address.ts';
import { parseDuration, parseSize } from './duration.ts';

/** setTimeout's limit, about 24 days. */
const maxTimerMs = 2 ** 31 - 1;

const duration = (fallback: string) =>
  z
    .string()
    .default(fallback)
    .transform((text, context) => {
      const ms = parseDuration(text);
      if (ms !== undefined && ms <= maxTimerMs) return ms;
      context.addIssue({ code: 'custom', message: `"${text}" is no duration; write for example 250ms, 30s or 10m` });
      return z.NEVER;
    });

const size = (fallback: string) =>
  z
    .union([z.string(), z.int().nonnegative().transform(String)])
    .default(fallback)
    .transform((text, context) => {
      const bytes = parseSize(text);
      if (bytes !== undefined && bytes > 0 && bytes <= maxTimerMs) return bytes;
      context.addIssue({ code: 'custom', message: `"${text}" is no size up to 1GiB; write for example 256MiB` });
      return z.NEVER;
    });

const hostPort = z.string().transform((text, context) => {
  try {
    return parseHostPort(text, 'address');
  } catch {
    context.addIssue({ code: 'custom', message: `"${text}" is no HOST:PORT; write for example 127.0.0.1:15410` });
    return z.NEVER;
  }
});

const sourceAddress = z.string().transform((text, context) => {
  const match = /^mcp:\/\/([^/?#]+)\/?$/i.exec(text);
  try {
    if (match !== null) return parseHostPort(match[1] as string, 'address');
  } catch {
    // The same advice as for any other text.
  }
  context.addIssue({
    code: 'custom',
    message: `"${text}" is no source address; write for example mcp://galley.istio-system:9901`,
  });
  return z.NEVER;
});

const collection = z.string().refine((text) => kindOfCollection(text) !== undefined, {
  error: ({ input }) =>
    `"${String(input)}" has no place in istiod 1.9 and newer; known collections: ${knownCollections.join(', ')}`,
});

/** DNS-1123 label: it becomes a metric label and half of every name. */
const label = z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, {
  error: ({ input }) => `"${String(input)}" is no name; lower-case letters, digits and "-" make one, at most 63`,
});

const source = z.strictObject({
  name: label.describe('Name of this origin in metrics, logs and on the admin pages.'),
  address: sourceAddress.describe('mcp://HOST:PORT of a legacy ResourceSource server.'),
  collections: z
    .array(collection)
    .min(1)
    .default([...knownCollections])
    .describe('Legacy collections to ask for. Default: all that istiod 1.9 and newer has a place for.'),
  defaultNamespace: label
    .optional()
    .describe('Namespace of bare names. Unset: "default", and bare names of mesh-wide kinds are quarantined.'),
  incremental: z.boolean().default(false).describe('Ask for changes instead of whole states.'),
  sinkNodeId: z.string().max(256).default('').describe('SinkNode.id of our requests.'),
  silentCollection: duration('30s').describe(
    'A collection other than serviceentries that stays silent for so long while others answer counts as empty.',
  ),
  maxMessage: size('256MiB').describe('Largest message taken from this source.'),
});

const listen = (fallback: string) => z.strictObject({ listen: hostPort.prefault(fallback) }).prefault({});

/** The config file. Unknown keys are errors. */
export const configSchema = z
  .strictObject({
    sources: z.array(source).default([]).describe('Legacy MCP servers that Isthmus dials, in order of precedence.'),
    xds: z
      .strictObject({
        listen: hostPort
          .prefault('127.0.0.1:15410')
          .describe('Where istiod connects (configSources: xds://HOST:PORT).'),
        minGap: duration('250ms').describe('Least time between two bursts of pushes on one stream.'),
        recycle: duration('10m').describe('Age at which a stream is ended and begun anew, ± 20 %; 0s = never.'),
      })
      .prefault({}),
    admin: listen('127.0.0.1:15480').describe('Health, metrics and debug pages.'),
    metrics: z
      .strictObject({ listen: hostPort.optional() })
      .prefault({})
      .describe('A second listener with metrics and health only, for scrapes from outside. Default: off.'),
    stateDir: z.string().min(1).optional().describe('Folder for what should outlive a restart.'),
    debounce: z
      .strictObject({
        after: duration('50ms').describe('Quiet time that ends a burst of changes.'),
        max: duration('1s').describe('Longest burst.'),
      })
      .prefault({}),
    istiod: z
      .strictObject({
        version: z
          .string()
          .regex(/^1\.\d+(\.\d+)?$/, { error: 'write for example 1.24' })
          .optional()
          .describe('Overrides what is seen from the stream.'),
      })
      .prefault({}),
    log: z.strictObject({ level: z.enum(['debug', 'info', 'warn', 'error']).default('info') }).prefault({}),
    shutdownGrace: duration('5s').describe('Time that a shutdown may take.'),
  })
  .superRefine((config, context) => {
    const seen = new Set<string>();
    for (const [index, { name }] of config.sources.entries()) {
      if (seen.has(name)) {
        context.addIssue({ code: 'custom', path: ['sources', index, 'name'], message: `"${name}" is used twice` });
      }
      seen.add(name);
    }
    if (config.debounce.after > config.debounce.max) {
      context.addIssue({ code: 'custom', path: ['debounce', 'after'], message: 'is longer than debounce.max' });
    }
  });

export type Config = z.output<typeof configSchema>;
export type SourceConfig = Config['sources'][number];
/** What is written in a file or made of flags. */
export type ConfigInput = z.input<typeof configSchema>;
