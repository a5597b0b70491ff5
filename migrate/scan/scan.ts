import type { Finding, Place } from '../finding.ts';
import { findMeshConfigs, type FileProblem } from '../meshconfig/find.ts';
import { type Version, xdsOnlyMinor } from '../version.ts';
import type { SourceFile, Unread } from './files.ts';
import { type MeshConfig, meshConfigOf } from './mesh-config.ts';
import { kubeObject, type KubeObject } from './objects.ts';
import { type Resource, resourcesOf } from './resources.ts';
import { type Values, valuesOf } from './values.ts';
import { type Program, programsOf } from './workloads.ts';

/** All that is known before the checks run. */
export type Scanned = {
  readonly meshConfigs: readonly MeshConfig[];
  readonly values: readonly Values[];
  readonly programs: readonly Program[];
  readonly objects: readonly KubeObject[];
  /** Istio's own resources among the objects. */
  readonly resources: readonly Resource[];
  /** What the bridge serves, or will serve; undefined where it was not given. */
  readonly behind: readonly Resource[] | undefined;
  /** The version that runs: as it was given, or as the images and tags say, the oldest Pilot first. */
  readonly from: Version | undefined;
  /** The version after the migration: as it was given, or that of an istiod 1.9 or newer that runs already. */
  readonly target: Version | undefined;
  /** Where a finding stands that is about no line of the inputs: the first mesh config, or the first file. */
  readonly top: Place;
  /** Where the version was seen; `top` where it was given. */
  readonly fromAt: Place;
  /** What could not be read. */
  readonly unread: readonly Finding[];
};

export type ScanOptions = {
  readonly from?: Version | undefined;
  readonly target?: Version | undefined;
  /** What a finding names that is about no file: an input without any. @default '' */
  readonly named?: string | undefined;
};

/** What was read of the inputs. */
export type Read = {
  readonly files: readonly SourceFile[];
  readonly unread: readonly Unread[];
  /** Objects that are in no file: resources of Istio in a cluster. @default none */
  readonly objects?: readonly KubeObject[];
};

/** Looks at files, and at objects of a cluster. Never throws: what can't be read is a finding, and costs itself only. */
export function scan(inputs: Read, behind: Read | undefined, options: ScanOptions = {}): Scanned {
  const { objects = [] } = inputs;
  const all = inputs.files.map((file) => scanFile(file));
  const beyond = behind?.files.map((file) => scanFile(file));
  const programs = all.flatMap((one) => one.programs);
  const values = all.flatMap((one) => one.values);
  const meshConfigs = all.flatMap((one) => one.meshConfigs);
  const firstFile: Place = {
    file: inputs.files[0]?.file ?? inputs.unread[0]?.file ?? options.named ?? '',
    line: 1,
    column: 1,
  };
  const top = meshConfigs[0]?.at([]) ?? firstFile;
  const seen = versionsSeen(programs, values);
  const from = options.from ?? seen[0]?.version;
  const unread = [...inputs.unread, ...(behind?.unread ?? [])].map((one) => unreadFinding(one));
  return {
    meshConfigs,
    values,
    programs,
    objects: [...all.flatMap((one) => one.objects), ...objects],
    resources: [...all.flatMap((one) => one.resources), ...objects.flatMap((object) => resourcesOf(object))],
    behind: beyond?.flatMap((one) => one.resources),
    from,
    target: options.target ?? (from !== undefined && from.minor >= xdsOnlyMinor ? from : undefined),
    top,
    fromAt: (options.from === undefined ? seen[0]?.at : undefined) ?? top,
    unread: [...unread, ...[...all, ...(beyond ?? [])].flatMap((one) => one.problems)],
  };
}

function scanFile({ file, text }: SourceFile) {
  const found = findMeshConfigs(file, text);
  const objects = found.objects.map((object) => kubeObject(file, object));
  return {
    objects,
    meshConfigs: found.meshes.map((place) => meshConfigOf(file, place, objects)),
    values: valuesOf(found, objects),
    programs: objects.flatMap((object) => programsOf(object)),
    resources: objects.flatMap((object) => resourcesOf(object)),
    problems: withoutRepeats(found.problems).map((problem) => problemFinding(file, problem)),
  };
}

/** Versions, the oldest first: of Pilot where one runs, else of what is installed, else of Galley and Mixer. */
function versionsSeen(programs: readonly Program[], values: readonly Values[]): { version: Version; at: Place }[] {
  const running = programs.flatMap(({ role, version, at }) => (version ? [{ role, version, at }] : []));
  const pilots = running.filter(({ role }) => role === 'pilot');
  const wanted = values.flatMap(({ version, versionAt }) => (version ? [{ version, at: versionAt }] : []));
  const seen = [pilots, wanted, running].find(({ length }) => length > 0) ?? [];
  return seen.toSorted((a, b) => a.version.minor - b.version.minor);
}

/** Of a template, whose every document is broken, it is said once; of what the parser says of one place, the first. */
function withoutRepeats(problems: readonly FileProblem[]): FileProblem[] {
  const idOf = ({ kind, offset }: FileProblem) => (kind === 'template' ? kind : `${kind} ${offset}`);
  const first = new Map(problems.toReversed().map((problem) => [idOf(problem), problem]));
  return problems.filter((problem) => first.get(idOf(problem)) === problem);
}

const codes: Readonly<Record<FileProblem['kind'], string>> = {
  syntax: 'YAML_INVALID',
  duplicateKey: 'YAML_DUPLICATE_KEY',
  template: 'TEMPLATE',
  notText: 'MESH_CONFIG_INVALID',
  notMap: 'MESH_CONFIG_INVALID',
  severalDocuments: 'MESH_CONFIG_INVALID',
};

function problemFinding(file: string, { kind, message, hint, line, column }: FileProblem): Finding {
  const severity = kind === 'template' ? 'warning' : 'error';
  const what = kind === 'template' ? 'a template, which is not analysed: what it becomes is not known' : message;
  return { code: codes[kind], severity, file, line, column, message: what, fix: hint, left: [] };
}

const usualFix: Readonly<Record<Unread['code'], string>> = {
  FILE_UNREAD: 'mend that, then analyse it again',
  LIMIT_REACHED: 'give what it is about by itself, in smaller parts',
  CLUSTER_UNREAD: 'see that it can be read, then analyse it again',
};

function unreadFinding({ file, code, reason, fix = usualFix[code] }: Unread): Finding {
  return { code, severity: 'warning', file, line: 1, column: 1, message: `${file} ${reason}`, fix, left: [] };
}
