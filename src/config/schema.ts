import type { input, output, RefinementCtx } from 'zod';
import { emptyForms, profileNames, slashForms, sourceProtocols, stateForms } from '../legacy/source-profile.ts';
import { sameHostPolicies, sameKeyPolicies } from '../model/conflict.ts';
import { droppedCollection } from '../model/dropped.ts';
import { invalidPolicies } from '../model/invalid-policy.ts';
import { type LevelSettings, levelsText, parseLogLevels } from '../model/log-levels.ts';
import { logComponents, logFormats, logLevels } from '../model/logger.ts';
import { kindOfCollection, knownCollections } from '../model/kinds.ts';
import { withoutCredentials } from '../model/texts.ts';
import { formatHostPort, type HostPort, parseHostPort } from '../net/address.ts';
import { isNetwork } from '../net/network.ts';
import { parseDuration, parseSize } from './duration.ts';
import { withHabits } from './habits.ts';
import { allowedPeers, clientTls, listenerTls, usualTls } from './tls.ts';
import { z } from './zod.ts';

const levelAdvice = `a level is expected: ${logLevels.join(', ')}; and of components, for example info,sources=debug`;

/** What parseLogLevels takes, for editors. */
const onePart = `((${Object.keys(logComponents).join('|')})=)?(${logLevels.join('|')})`;
const levelPattern = `${onePart}( *, *${onePart})*`;

/** setTimeout's limit, about 24 days. */
const maxTimerMs = 2 ** 31 - 1;

const durationText = z
  .string({ error: 'a duration is expected; write for example 250ms, 30s or 10m' })
  .meta({ pattern: '^([0-9]+(\\.[0-9]+)?(ms|s|m|h))+$' });

const toMilliseconds = (text: string, context: RefinementCtx): number => {
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
      context.addIssue({ code: 'custom', message: `"${value}" is no size below 2GiB; write for example 256MiB` });
      return z.NEVER;
    });

const hostPort = z
  .string({ error: 'an address is expected; write for example 127.0.0.1:15410' })
  .meta({ pattern: '^.+:[0-9]+$' })
  .transform((text, context) => {
    try {
      return parseHostPort(text, 'address');
    } catch {
      context.addIssue({
        code: 'custom',
        message: `"${withoutCredentials(text)}" is no HOST:PORT; write for example 127.0.0.1:15410`,
      });
      return z.NEVER;
    }
  });

const sourceAdvice = 'write for example mcp://galley.istio-system:9901';

const sourceAddress = z
  .string({ error: `an address is expected; ${sourceAdvice}` })
  .meta({ pattern: '^mcps?://.+:[0-9]+/?$' })
  .transform((text, context) => {
    const match = /^mcp(s?):\/\/([^/?#]+)\/?$/i.exec(text);
    try {
      if (match !== null) return { ...parseHostPort(match[2] as string, 'address'), isSecure: match[1] !== '' };
    } catch {
      // The same advice as for any other text.
    }
    context.addIssue({
      code: 'custom',
      message: `"${withoutCredentials(text)}" is no source address; ${sourceAdvice}`,
    });
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

/** Pings that come more often than this are a mistake in any case. */
const minKeepaliveMs = 1000;

const keepalive = optionalDuration.refine((ms) => ms === undefined || ms >= minKeepaliveMs, {
  error: 'is shorter than 1s; most servers take pings every 5m at most',
});

const suffixAdvice = 'a suffix without a dot before it is expected; write for example nacos';

const repairs = z
  .strictObject({
    invalidLabels: z
      .boolean()
      .default(false)
      .describe('Leave out labels of endpoints that Istio would refuse, and the whole ServiceEntry with them.'),
    hostColons: z.boolean().default(false).describe('Write a hyphen where a host has a colon, as of Dubbo services.'),
    missingDot: z
      .string({ error: suffixAdvice })
      .regex(/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/i, { error: suffixAdvice })
      .optional()
      .describe('Write a dot before this suffix of a host where it has none there, for example nacos. Unset: off.'),
    zeroPorts: z
      .boolean()
      .default(false)
      .describe('Give a port with the number 0 the lowest number that its endpoints have for it.'),
    servicePorts: z
      .boolean()
      .default(false)
      .describe('Give a port the number that its endpoints have for it, where all of them have the same.'),
  })
  .prefault({})
  .describe('What is put right in ServiceEntries, and changes what they mean. Each is off, and each is counted.');

/** What a profile has too: unset, a setting is that of the profile. */
const habits = {
  protocol: z
    .enum(sourceProtocols)
    .optional()
    .describe('resourceSource = Istio 1.1 and newer; aggregated-1.1, aggregated-1.0 = the older service.'),
  askAs: z
    .record(collection, z.string().min(1).max(256))
    .optional()
    .describe('The name under which this source has a collection, where it is another one.'),
  state: z
    .enum(stateForms)
    .optional()
    .describe(
      'What a message means that is not marked as a change: full = the whole state; merge = what it names, and nothing else changes.',
    ),
  empty: z
    .enum(emptyForms)
    .optional()
    .describe(
      'When a message with nothing is believed at once: believed = as any other; heldAtFirst = not the first one of a stream; held = never.',
    ),
  slashes: z
    .enum(slashForms)
    .optional()
    .describe(
      'Names with more than one slash, or nothing behind it: refuse = they are quarantined; escape = they become one name, with %2F.',
    ),
  keepalive: keepalive.describe('Time between two HTTP/2 pings. Unset: 6m, which every server takes.'),
  oneConnection: z
    .boolean()
    .optional()
    .describe('A second connection harms the first one, or the server: tools warn of it.'),
  repairs,
};

const matchAdvice = 'say at least one of identity, meta and address';

/** Headers of gRPC itself, which say nothing of a source, and those whose values are no text. */
const reservedHeaders = /^grpc-|-bin$/;

const headers = z
  .record(z.string(), z.string().max(1024))
  .superRefine((meta, context) => {
    for (const name of Object.keys(meta)) {
      const message = /^[-_.0-9a-z]+$/i.test(name)
        ? reservedHeaders.test(name.toLowerCase()) && `"${name}" can't be matched: it is gRPC's own, or no text`
        : `"${name}" is no name of a header; letters, digits, "-", "_" and "." make one`;
      if (message !== false) context.addIssue({ code: 'custom', path: [name], message });
    }
  })
  .transform((meta) => Object.fromEntries(Object.entries(meta).map(([name, value]) => [name.toLowerCase(), value])));

const sourceMatch = z
  .strictObject({
    identity: z
      .string()
      .min(1)
      .max(2048)
      .optional()
      .describe('Name in its client certificate (SAN), for example spiffe://cluster.local/ns/istio-system/sa/galley.'),
    meta: headers.optional().describe('Headers of its stream, as Galley sends them with --sinkMeta name=value.'),
    address: z
      .string()
      .refine(isNetwork, {
        error: ({ input }) =>
          `"${String(input)}" is no IP address and no network; write for example 10.0.0.7 or 10.0.0.0/8`,
      })
      .optional()
      .describe('Its IP address, or a network such as 10.0.0.0/8.'),
  })
  .refine(
    ({ identity, meta = {}, address }) =>
      identity !== undefined || Object.keys(meta).length > 0 || address !== undefined,
    {
      error: `it would be every source that dials in; ${matchAdvice}`,
    },
  );

const plainSource = z.strictObject({
  name: label.describe('Name of this origin in metrics, logs and on the admin pages.'),
  address: sourceAddress
    .optional()
    .describe(
      'mcp://HOST:PORT of a legacy ResourceSource server, which Isthmus dials; mcps:// over TLS. Either this, or match.',
    ),
  tls: clientTls.optional().describe('How it is dialled over TLS. mcps:// without it: as with an empty one.'),
  match: sourceMatch
    .optional()
    .describe(
      'Instead of an address: how a source that dials Isthmus (sink.listen) is known. All that is given has to be so.',
    ),
  collections: z
    .array(collection)
    .min(1)
    .optional()
    .describe(
      'Legacy collections to ask for. Unset: those of the profile, or all that istiod 1.9 and newer has a place for.',
    ),
  defaultNamespace: label
    .optional()
    .describe('Namespace of bare names. Unset: "default", and bare names of mesh-wide kinds are quarantined.'),
  incremental: z.boolean().optional().describe('Ask for changes instead of whole states.'),
  sinkNodeId: z.string().max(256).optional().describe('SinkNode.id of our requests.'),
  silentCollection: optionalDuration.describe(
    'A collection other than serviceentries that stays silent for so long while others answer counts as empty. 30s in every profile.',
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
  profile: z
    .enum(['auto', ...profileNames])
    .default('auto')
    .describe('Which server it is, and so the default of each habit. auto = as default, and say which it looks like.'),
  ...habits,
});

/** `mcps://` is TLS with all that is usual. */
const source = plainSource.transform(({ address, tls, ...rest }) => ({
  ...rest,
  address: address && { host: address.host, port: address.port },
  tls: tls ?? (address?.isSecure === true ? usualTls : undefined),
}));

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

/** The config file. Unknown keys are errors. */
export const configSchema = z
  .strictObject({
    sources: z
      .array(source.transform(withHabits))
      .default([])
      .describe('Legacy MCP servers that Isthmus dials, or that dial Isthmus, in order of precedence.'),
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
        tls: listenerTls.optional().describe('TLS for istiod 1.26 and newer; older ones have none. Unset: plaintext.'),
        allowedPeers,
      })
      .prefault({})
      .describe('MCP-over-xDS, for istiod.'),
    sink: z
      .strictObject({
        listen: hostPort.optional().describe('Where they dial in. Unset: off.'),
        tls: listenerTls.optional().describe('TLS for them. Unset: plaintext.'),
        allowedPeers,
      })
      .prefault({})
      .describe('Legacy ResourceSink, for sources that dial Isthmus themselves.'),
    admin: z
      .strictObject({
        listen: hostPort.prefault('127.0.0.1:15480').describe('Where the pages are.'),
        tokenFile: z
          .string({ error: 'the name of a file is expected' })
          .min(1)
          .optional()
          .describe(
            'File with a token: who sends it may change something from other hosts, too. Not readable by everybody. Unset: this host alone.',
          ),
      })
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
        level: z
          .string({ error: levelAdvice })
          .meta({ pattern: `^${levelPattern}$` })
          .transform((text, context) => {
            const levels = parseLogLevels(text);
            if (typeof levels !== 'string') return levelsText(levels);
            context.addIssue({ code: 'custom', message: levels });
            return z.NEVER;
          })
          .prefault('info')
          .describe(
            'The least that is logged: debug, info, warn or error; and of components, as in info,sources=debug,xds=warn.',
          ),
        format: z.enum(logFormats).default('auto').describe('auto = text for people on a terminal, JSON elsewhere.'),
      })
      .prefault({})
      .describe('Lines on standard error.'),
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
    for (const [index, given] of config.sources.entries()) {
      for (const [renamed, message] of nameMistakes(given)) {
        context.addIssue({ code: 'custom', path: ['sources', index, 'askAs', renamed], message });
      }
    }
    for (const { at, message } of matchMistakes(config)) {
      context.addIssue({ code: 'custom', path: ['sources', ...at], message });
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

export type Config = output<typeof configSchema>;
export type SourceConfig = Config['sources'][number];

/** What the config says of the log. */
export function levelsOf({ log }: Pick<Config, 'log'>): LevelSettings {
  const levels = parseLogLevels(log.level);
  // The schema has let it in.
  if (typeof levels === 'string') throw new Error(levels);
  return levels;
}

/** Where a source is that is dialled, as it is written in the config. */
export function sourceUrl({ address, tls }: { readonly address: HostPort; readonly tls?: object | undefined }): string {
  return `${tls === undefined ? 'mcp' : 'mcps'}://${formatHostPort(address)}`;
}

/** What is written in a file or made of flags. */
export type ConfigInput = input<typeof configSchema>;

/** What is wrong with who dials whom. */
function* matchMistakes({ sources, sink }: Pick<Config, 'sources' | 'sink'>): Generator<{
  readonly at: readonly [number, 'address' | 'match' | 'tls'];
  readonly message: string;
}> {
  const names = new Map<string, string>();
  for (const [index, { name, address, match, tls, protocol }] of sources.entries()) {
    if (match === undefined) {
      if (address === undefined) {
        const message = `"${name}" has none; ${sourceAdvice}, or say by match how it is known where it dials in`;
        yield { at: [index, 'address'], message };
      }
      continue;
    }
    if (tls !== undefined) {
      const message = `"${name}" dials in: tls is for those that are dialled; set sink.tls`;
      yield { at: [index, 'tls'], message };
    }
    // A source in which something else is wrong has none yet.
    if (sourceProtocols.indexOf(protocol) > 0) {
      const message = `"${name}" is to dial in, and nobody does so in the protocol ${protocol}`;
      yield { at: [index, 'match'], message };
    }
    if (address !== undefined) {
      const message = `"${name}" has an address too: either Isthmus dials it, or it dials Isthmus`;
      yield { at: [index, 'match'], message };
    } else if (sink.listen === undefined) {
      const message = `"${name}" is to dial in, and nobody listens; set sink.listen, for example to 127.0.0.1:15411`;
      yield { at: [index, 'match'], message };
    }
    if (match.identity !== undefined && sink.listen !== undefined && sink.tls?.clientCa === undefined) {
      const message = `"${name}" is to show a certificate, and nobody is asked for one; set sink.tls, with clientCa`;
      yield { at: [index, 'match'], message };
    }
    const text = matchText(match);
    const other = names.get(text);
    if (other === undefined) names.set(text, name);
    else
      yield {
        at: [index, 'match'],
        message: `it is that of "${other}", which comes first: it would never be its turn`,
      };
  }
}

/** Collections that are asked for by the name of another one, so that nobody could tell which of them an answer is. */
function* nameMistakes(given: {
  readonly collections?: readonly string[] | undefined;
  readonly askAs?: Readonly<Record<string, string>> | undefined;
}): Generator<readonly [collection: string, message: string]> {
  const { askAs = {} } = given;
  const asked = askedOf(given);
  for (const [index, renamed] of asked.entries()) {
    const name = askAs[renamed];
    if (name === undefined) continue;
    // Of two that are renamed, the second one is told of.
    const other = asked.find(
      (one, at) => one !== renamed && (askAs[one] ?? one) === name && (askAs[one] === undefined || at < index),
    );
    if (other === undefined) continue;
    yield [renamed, `"${name}" is also asked for ${other}; give each collection its own name, or leave one out`];
  }
}

/** The same for matches that say the same. */
function matchText({ identity, meta = {}, address }: NonNullable<SourceConfig['match']>): string {
  return JSON.stringify([
    identity ?? null,
    address ?? null,
    Object.entries(meta).toSorted(([a], [b]) => (a < b ? -1 : 1)),
  ]);
}

function removalMistake({ name, collection: one }: Removal, sources: readonly SourceConfig[]): string | undefined {
  if (one !== undefined && kindOfCollection(one) === undefined) {
    return `"${one}" is no collection; known collections: ${knownCollections.join(', ')}`;
  }
  const kept = sources.find((other) => other.name === name);
  if (kept === undefined || (one !== undefined && !askedOf(kept).includes(one))) return undefined;
  const what = one === undefined ? `source "${name}" is in sources` : `source "${name}" is asked for ${one}`;
  return `${what}: what is to go has to be taken out there first`;
}

/** A source in which something is wrong is here without the defaults of its profile. */
function askedOf({ collections }: { readonly collections?: readonly string[] | undefined }): readonly string[] {
  return collections ?? knownCollections;
}
