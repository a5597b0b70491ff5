import { conflictReasons } from '../model/conflict.ts';
import { quarantineReasons } from '../model/change.ts';
import { droppedCollections } from '../model/dropped.ts';
import { kinds as allKinds, knownCollections } from '../model/kinds.ts';
import { labelReasons } from '../model/label-reasons.ts';
import { pushCauses } from '../model/news.ts';
import { holdOutcomes, pushStreamEnds, repairs } from '../model/reporter.ts';
import { seatNames } from '../model/seats.ts';
import { turnedAwayReasons } from '../model/turned-away.ts';
import type { LabelValues } from './metric-maker.ts';

/** Names of gRPC codes; the old nack metric carries the name, the failure metrics the number (pkg/mcp/monitoring). */
const codeNames = [
  'OK',
  'Canceled',
  'Unknown',
  'InvalidArgument',
  'DeadlineExceeded',
  'NotFound',
  'AlreadyExists',
  'PermissionDenied',
  'ResourceExhausted',
  'FailedPrecondition',
  'Aborted',
  'OutOfRange',
  'Unimplemented',
  'Internal',
  'Unavailable',
  'DataLoss',
  'Unauthenticated',
] as const;

/** The name of a gRPC code. A peer may send any number. */
export const codeName = (code: number): string => codeNames[code] ?? 'Unknown';

/** The number of a gRPC code, of a closed set: a server may end its stream with any. */
export const codeNumber = (code: number): string => String(code in codeNames ? code : 2);

const kinds = allKinds.map(({ kind }) => kind);

/** Those that istiod 1.9 and newer has no place for may be asked for all the same, to be counted. */
const dropped = droppedCollections.map(({ collection }) => collection);
const collections = [...knownCollections, ...dropped];

/** Component label of the seven names that Istio's own MCP code had until 1.8. */
export const component = 'isthmus';

/** What the labels of our metrics may say. */
export const values = {
  source: 'names of sources in the config',
  kind: kinds,
  askedKind: [...kinds, 'other'],
  collection: collections,
  answeredCollection: [...collections, 'other'],
  droppedCollection: dropped,
  component: [component],
  codeName: codeNames,
  codeNumber: codeNames.map((_, number) => String(number)),
  state: ['received', 'released', 'effective'],
  quarantineReason: quarantineReasons,
  change: ['upsert', 'removal'],
  repair: repairs,
  outcome: holdOutcomes,
  conflict: conflictReasons,
  use: 'xds, sink, and source/NAME for the names of sources in the config',
  role: ['certificate', 'ca'],
  listener: ['xds', 'sink'],
  turnedAway: turnedAwayReasons,
  cause: pushCauses,
  profile: ['up-to-1.11', '1.12-and-newer', 'unknown'],
  /** See xds/istiod-version. */
  istiodVersions: 'ranges of minor versions of Istio, or `unknown`',
  labelReason: labelReasons,
  streamEnd: pushStreamEnds,
  stream: seatNames,
  version: 'that of the package',
} as const satisfies Record<string, LabelValues>;
