import type { Consequence, Finding, Place, Severity } from '../finding.ts';
import type { ConfigSource, MeshConfig } from '../scan/mesh-config.ts';
import type { Scanned } from '../scan/scan.ts';
import type { Flag, Program } from '../scan/workloads.ts';
import { concerns } from '../version.ts';

/** One thing that a migration can stumble over. */
export type Check = {
  /** Stable; that of its findings. */
  readonly code: string;
  /** Those that its findings may have, the usual one first. */
  readonly severities: readonly [Severity, ...Severity[]];
  /** What it finds, as a sentence of docs/migration-checks.md. */
  readonly finds: string;
  /** What each version does where it is left. Where none of them is the target's, nothing is found. Empty: versions do not matter. */
  readonly left: readonly Consequence[];
  /** What to do; a finding may say it more exactly. */
  readonly fix: string;
  /** Where that is known from. */
  readonly source: string;
  /** False where the inputs have nothing that it could look at. */
  applicable(scanned: Scanned): boolean;
  run(scanned: Scanned): Found[];
};

/** What one check says of one place. The rest of the finding is the check's own. */
export type Found = {
  readonly at: Place;
  readonly message: string;
  readonly fix?: string;
  readonly severity?: Severity;
  /** In place of the check's own. */
  readonly left?: readonly Consequence[];
};

/** Runs checks; those of whose consequences none is the target's find nothing. */
export function runChecks(checks: readonly Check[], scanned: Scanned): Finding[] {
  return checks.flatMap((check) => (check.applicable(scanned) ? findingsOf(check, scanned) : []));
}

function findingsOf(check: Check, scanned: Scanned): Finding[] {
  return check.run(scanned).flatMap((found) => {
    const all = found.left ?? check.left;
    const left = all.filter((consequence) => concerns(consequence, scanned.target));
    if (all.length > 0 && left.length === 0) return [];
    const { at, message, fix = check.fix, severity = check.severities[0] } = found;
    return [{ code: check.code, severity, ...at, message, fix, left }];
  });
}

/** An entry of `configSources`, and whose it is. */
export type SourceOf = { readonly mesh: MeshConfig; readonly source: ConfigSource };

/** All entries of `configSources` in the inputs. */
export function allSources({ meshConfigs }: Scanned): SourceOf[] {
  return meshConfigs.flatMap((mesh) => mesh.sources.map((source) => ({ mesh, source })));
}

/** A check of single entries of `configSources`. */
export function sourceCheck(
  check: Omit<Check, 'applicable' | 'run'> & {
    readonly look: (of: SourceOf, scanned: Scanned) => Found | Found[] | undefined;
  },
): Check {
  const { look, ...rest } = check;
  return {
    ...rest,
    applicable: ({ meshConfigs }) => meshConfigs.some(({ sources }) => sources.length > 0),
    run: (scanned) => allSources(scanned).flatMap((of) => look(of, scanned) ?? []),
  };
}

/** A check of single flags of Pilot, and of istiod. */
export function pilotFlagCheck(
  check: Omit<Check, 'applicable' | 'run'> & {
    readonly look: (flag: Flag, program: Program, scanned: Scanned) => Found | undefined;
  },
): Check {
  const { look, ...rest } = check;
  const isPilot = ({ role }: Program): boolean => role === 'pilot';
  return {
    ...rest,
    applicable: ({ programs }) => programs.some(isPilot),
    run: (scanned) =>
      scanned.programs
        .filter(isPilot)
        .flatMap((program) => program.flags.flatMap((flag) => look(flag, program, scanned) ?? [])),
  };
}

/** Where what is known of istiod's config sources stands in Istio. */
export const initConfigSources = 'Istio pilot/pkg/bootstrap/configcontroller.go, initConfigSources, 1.9 to 1.31';
