import { z } from 'zod';
import { sameHostPolicies, sameKeyPolicies } from '../model/conflict.ts';
import { droppedCollection } from '../model/dropped.ts';
import { kindOfCollection, knownCollections } from '../model/kinds.ts';
import { parseHostPort } from '../net/address.ts';
import { parseDuration, parseSize } from './duration.ts';

/** setTimeout's limit, about 24 days. */
const maxTimerMs = 2 ** 31 - 1;

const durationText = z
  .string({ error: 'a duration is expected; write for example 250ms, 30s or 10m' })
  .meta({ pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$' });

const toMilliseconds = (text: string, context: z.RefinementCtx): number => {
  const ms = parseDuration(text);
  if (ms !== undefined && ms <= maxTimerMs) return ms;
  context.addIssue({ code: 'custom', message: `"${text}" is no duration; write for example 250ms, 30s or 10m` });
  return z.NEVER;
};

const duration = (fallback: string) => durationText.default(fallback).transform(toMilliseconds);

const optionalDuration = durationText.transform(toMilliseconds).optional();

const size = (fallback: string) =>
  z
    .union([z.string().meta({ pattern: '^[0-9]+(KiB|MiB|GiB)?$' }), z.number()], {
      error: 'a size is expected; write for example 256MiB',
    })
    .default(fallback)
    .transform((value, context) => {
      const bytes = parseSize(String(value));
      if (bytes !== undefined && bytes > 0 && bytes <= maxTimerMs) return bytes;
      context.addIssue({ code: 'custom', message: `"${value}" is no size up to 1GiB; write for example 256MiB` });
      return z.NEVER;
    });

const hostPort = z
  .string({ error: 'an address is expected; write for example 127.0.0.1:15410' })
  .meta({ pattern: '^.+:[0-9]+$' })
  .transform((text, context) => {
    try {
      return parseHostPort(text, 'address');
    } catch {
      context.addIssue({ code: 'custom', message: `"${text}" is no HOST:PORT; write for example 127.0.0.1:15410` });
      return z.NEVER;
    }
  });

const sourceAdvice = 'write for example mcp://galley.istio-system:9901';

const sourceAddress = z
  .string({ error: `an address is expected; ${sourceAdvice}` })
  .meta({ pattern: '^mcp://.+:[0-9]+/?$' })
  .transform((text, context) => {
    const match = /^mcp:\/\/([^/?#]+)\/?$/i.exec(text);
    try {
      if (match !== null) return parseHostPort(match[1] as string, 'address');
    } catch {
      // The same advice as for any other text.
    }
    context.addIssue({ code: 'custom', message: `"${text}" is no source address; ${sourceAdvice}` });
    return z.NEVER;
  });

const collection = z
  .string()
  .meta({ enum: [...knownCollections] })
  .refine((text) => kindOfCollection(text) !== undefined, {
    error: ({ input }) => {
      const instead = droppedCollection(String(input))?.instead;
      const advice = instead === undefined ? '' : ` (what replaces it: ${instead})`;
      const known = `known collections: ${knownCollections.join(', ')}`;
      return `"${String(input)}" has no place in istiod 1.9 and newer${advice}; ${known}`;
    },
  });

/** DNS-1123 label: it becomes a metric label and half of every name. */
const label = z.string({ error: 'a name is expected' }).regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, {
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
  countDropped: z
    .boolean()
    .default(false)
    .describe(
      'Also ask for the collections that istiod 1.9 and newer has no place for, to count and report what is lost.',
    ),
  syncTimeout: optionalDuration.describe(
    'A collection that has not spoken for so long counts as empty until it does. Unset: it is waited for.',
  ),
});

const removalAdvice = 'write the NAME of a source that is gone, or NAME/COLLECTION';

/** `NAME`, or `NAME/COLLECTION`. */
const removal = z.string({ error: removalAdvice }).regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?(\/.+)?$/, {
  error: ({ input }) => `"${String(input)}" is no source; ${removalAdvice}`,
  abort: true,
});

/** Without quotes, YAML reads 1.10 as the number 1.1. */
const versionAdvice = 'write it in quotes, for example "1.24"';

const revisionAdvice = 'a revision as istiod has it is expected, for example canary; "" says that it has none';

const percentAdvice = 'a number from 0 to 100 is expected';
const countAdvice = 'a whole number of resources is expected; write for example 20';

/** What is done with a resource that breaks a rule of Istio. */
export const invalidPolicies = ['keepLastGood', 'report', 'ignore'] as const;

/** The config file. Unknown keys are errors. */
export const configSchema = z
  .strictObject({
    sources: z.array(source).default([]).describe('Legacy MCP servers that Isthmus dials, in order of precedence.'),
    confirmRemoval: z
      .array(removal)
      .default([])
      .describe(
        'Sources, or collections of one as NAME/COLLECTION, that are in the config no more and whose resources are to go.',
      ),
    xds: z
      .strictObject({
        listen: hostPort
          .prefault('127.0.0.1:15410')
          .describe('Where istiod connects (configSources: xds://HOST:PORT).'),
        minGap: duration('250ms').describe('Least time between two bursts of pushes on one stream.'),
        recycle: duration('10m').describe('Age at which a stream is ended and begun anew, ± 20 %; 0s = never.'),
      })
      .prefault({})
      .describe('MCP-over-xDS, for istiod.'),
    admin: z
      .strictObject({ listen: hostPort.prefault('127.0.0.1:15480').describe('Where the pages are.') })
      .prefault({})
      .describe('Health, metrics and debug pages.'),
    metrics: z
      .strictObject({ listen: hostPort.optional().describe('Where they are. Unset: off.') })
      .prefault({})
      .describe('A second listener with metrics and health only, for scrapes from outside.'),
    legacy: z
      .strictObject({
        listen: hostPort
          .optional()
          .describe('Where a Pilot up to 1.8 connects (configSources: HOST:PORT, without a scheme). Unset: off.'),
      })
      .prefault({})
      .describe('Legacy MCP (ResourceSource), for old Pilots beside new istiods during an upgrade.'),
    stateDir: z.string().min(1).optional().describe('Folder for what should outlive a restart. Unset: off.'),
    debounce: z
      .strictObject({
        after: duration('50ms').describe('Quiet time that ends a burst of changes.'),
        max: duration('1s').describe('Longest burst.'),
      })
      .prefault({})
      .describe('Changes that sources send one after the other are published together.'),
    guard: z
      .strictObject({
        maxRemovalPercent: z
          .number({ error: percentAdvice })
          .min(0, { error: percentAdvice })
          .max(100, { error: percentAdvice })
          .default(50)
          .describe('Share of the highest count of the last 10 minutes that may go at once.'),
        minRemoved: z
          .int({ error: countAdvice })
          .min(0, { error: countAdvice })
          .default(20)
          .describe('So many removals always pass, unless nothing is left.'),
        hold: duration('5m').describe('After so long the source is asked again, and then believed; 0s = hold nothing.'),
      })
      .prefault({})
      .describe('Removals of many resources at once are held back.'),
    quarantine: z
      .strictObject({
        invalid: z
          .enum(invalidPolicies)
          .default('keepLastGood')
          .describe(
            'A form that breaks a rule of Istio: keepLastGood = the form before it stays; report = it is sent, and shown; ignore = the rules are not checked.',
          ),
      })
      .prefault({})
      .describe('Resources that istiod would refuse.'),
    conflicts: z
      .strictObject({
        sameKey: z
          .enum(sameKeyPolicies)
          .default('precedence')
          .describe(
            'Of a resource that several sources hold: precedence = the first source in this file wins, whole; mergeEndpoints = the endpoints of a ServiceEntry are those of all, where nothing else differs.',
          ),
        sameHost: z
          .enum(sameHostPolicies)
          .default('report')
          .describe('Hosts that ServiceEntries of several sources name: report them, or ignore them. All are sent.'),
      })
      .prefault({})
      .describe('What is done where several sources have the same.'),
    istiod: z
      .strictObject({
        version: z
          .string({ error: versionAdvice })
          .regex(/^1\.\d+(\.\d+)?$/, { error: versionAdvice })
          .optional()
          .describe('Overrides what is seen from the stream. Quoted, for example "1.24".'),
        revision: z
          .string({ error: revisionAdvice })
          .regex(/^([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?$/, { error: revisionAdvice })
          .optional()
          .describe('Overrides what is seen from the stream: the revision of all istiods; "" = they have none.'),
      })
      .prefault({})
      .describe('What is known of the istiods that connect.'),
    log: z
      .strictObject({
        level: z.enum(['debug', 'info', 'warn', 'error']).default('info').describe('The least that is logged.'),
      })
      .prefault({})
      .describe('JSON lines on standard error.'),
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
    for (const [index, text] of config.confirmRemoval.entries()) {
      const mistake = removalMistake(removalOf(text), config.sources);
      if (mistake === undefined) continue;
      context.addIssue({ code: 'custom', path: ['confirmRemoval', index], message: mistake });
    }
    if (config.debounce.after > config.debounce.max) {
      context.addIssue({ code: 'custom', path: ['debounce', 'after'], message: 'is longer than debounce.max' });
    }
  });

/** A source, or one collection of it. */
type Removal = { readonly name: string; readonly collection: string | undefined };

/** What a line of `confirmRemoval` means. */
export function removalOf(text: string): Removal {
  const slash = text.indexOf('/');
  return slash < 0
    ? { name: text, collection: undefined }
    : { name: text.slice(0, slash), collection: text.slice(slash + 1) };
}

export type Config = z.output<typeof configSchema>;
export type SourceConfig = Config['sources'][number];
/** What is written in a file or made of flags. */
export type ConfigInput = z.input<typeof configSchema>;

function removalMistake({ name, collection: one }: Removal, sources: readonly SourceConfig[]): string | undefined {
  if (one !== undefined && kindOfCollection(one) === undefined) {
    return `"${one}" is no collection; known collections: ${knownCollections.join(', ')}`;
  }
  const kept = sources.find((other) => other.name === name);
  if (kept === undefined || (one !== undefined && !kept.collections.includes(one))) return undefined;
  const what = one === undefined ? `source "${name}" is in sources` : `source "${name}" is asked for ${one}`;
  return `${what}: what is to go has to be taken out there first`;
}
