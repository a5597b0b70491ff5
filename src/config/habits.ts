import {
  defaultSourceProfile,
  type ProfileName,
  type SourceProfile,
  sourceProfiles,
} from '../legacy/source-profile.ts';
import { knownCollections } from '../model/kinds.ts';

/** What a config may say of a source's habits; what it leaves out is the profile's. */
type Given = {
  readonly profile: ProfileName | 'auto';
  readonly protocol?: SourceProfile['protocol'] | undefined;
  readonly collections?: string[] | undefined;
  readonly askAs?: Record<string, string> | undefined;
  readonly state?: SourceProfile['state'] | undefined;
  readonly empty?: SourceProfile['empty'] | undefined;
  readonly slashes?: SourceProfile['slashes'] | undefined;
  readonly defaultNamespace?: string | undefined;
  readonly incremental?: boolean | undefined;
  readonly sinkNodeId?: string | undefined;
  readonly silentCollection?: number | undefined;
  readonly keepalive?: number | undefined;
  readonly oneConnection?: boolean | undefined;
};

/** The habits of a source that the config has, as a profile. */
type Habits = ReturnType<typeof withHabits<Given>>;

/** Fills in from the profile what the config does not say. */
export function withHabits<G extends Given>(given: G) {
  const profile: SourceProfile = given.profile === 'auto' ? defaultSourceProfile : sourceProfiles[given.profile];
  return {
    ...given,
    protocol: given.protocol ?? profile.protocol,
    collections: given.collections ?? [...(profile.collections ?? knownCollections)],
    askAs: given.askAs ?? { ...profile.askAs },
    state: given.state ?? profile.state,
    empty: given.empty ?? profile.empty,
    slashes: given.slashes ?? profile.slashes,
    defaultNamespace: given.defaultNamespace ?? profile.defaultNamespace,
    incremental: given.incremental ?? profile.incremental,
    sinkNodeId: given.sinkNodeId ?? profile.sinkNodeId,
    silentCollection: given.silentCollection ?? profile.silentCollectionMs,
    keepalive: given.keepalive ?? profile.pingMs,
    oneConnection: given.oneConnection ?? profile.oneConnection,
  };
}

/** The habits that are in force, as the stream to a source needs them. */
export function profileOf(config: Habits): SourceProfile {
  const { protocol, sinkNodeId, incremental, state, collections, askAs, defaultNamespace } = config;
  const { slashes, empty, silentCollection: silentCollectionMs, keepalive: pingMs, oneConnection } = config;
  return {
    protocol,
    sinkNodeId,
    incremental,
    state,
    collections,
    askAs,
    defaultNamespace,
    slashes,
    empty,
    silentCollectionMs,
    pingMs,
    oneConnection,
  };
}
