import { exitCode } from '../model/errors.ts';

/** `ok` and `info` cost nothing; `warning` may cost something later; `error` does now. */
export type Severity = 'ok' | 'info' | 'warning' | 'error';

/** Stable names of what `check` can find; scripts may rely on them. */
export type FindingCode =
  | 'CONFIG_VALID'
  | 'CONFIG_INVALID'
  | 'NO_SOURCES'
  | 'SOURCE_TWICE'
  | 'ADMIN_EXPOSED'
  | 'XDS_WITHOUT_TLS'
  | 'SINK_EXPOSED'
  | 'SINK_UNMATCHED'
  | 'LEGACY_WITHOUT_TLS'
  | 'LISTEN_FREE'
  | 'LISTEN_OURS'
  | 'LISTEN_TWICE'
  | 'LISTEN_FAILED'
  | 'STATE_USABLE'
  | 'STATE_OFF'
  | 'STATE_UNUSABLE'
  | 'STATE_UNREADABLE'
  | 'STATE_OPEN_TO_ALL'
  | 'STATE_NOT_SAVED'
  | 'RESOLVED'
  | 'UNRESOLVED'
  | 'UNREACHABLE'
  | 'HTTP2_SPOKEN'
  | 'TLS_UNEXPECTED'
  | 'TLS_SPOKEN'
  | 'TLS_FAILED'
  | 'TLS_USABLE'
  | 'TLS_UNUSABLE'
  | 'TLS_UNVERIFIED'
  | 'TLS_PROBLEM'
  | 'KEY_OPEN_TO_ALL'
  | 'TLS_REFUSED'
  | 'TLS_WITHOUT_HTTP2'
  | 'CERTIFICATE'
  | 'CERTIFICATE_EXPIRED'
  | 'CERTIFICATE_EXPIRES'
  | 'CERTIFICATE_NAME'
  | 'WRONG_PROTOCOL'
  | 'SILENT'
  | 'SERVICE_FOUND'
  | 'SERVICE_MISSING'
  | 'SERVICE_UNKNOWN'
  | 'DIRECT_NEEDLESS'
  | 'SECOND_CONNECTION'
  | 'BRIDGE_RUNNING'
  | 'BRIDGE_UNREACHABLE'
  | 'SOURCE_CONNECTED'
  | 'SOURCE_NOT_CONNECTED'
  | 'SOURCE_AWAITED'
  | 'COLLECTIONS_REFUSED'
  | 'COLLECTIONS_SERVED'
  | 'COLLECTIONS_SILENT'
  | 'COLLECTIONS_STALE'
  | 'COLLECTIONS_OVERDUE'
  | 'COLLECTIONS_DROPPED'
  | 'SOURCE_RETIRED'
  | 'CONFIG_NOT_IN_FORCE'
  | 'REMOVALS_WITHHELD'
  | 'REMOVALS_HELD'
  | 'QUARANTINED'
  | 'INVALID'
  | 'NO_BRIDGE'
  | 'LEFT_OUT'
  | 'SHARED'
  | 'ISTIODS'
  | 'ISTIOD_REFUSED'
  | 'REVISION'
  | 'REVISION_DROPS'
  | 'REVISION_UNKNOWN'
  | 'XDS_SPOKEN'
  | 'XDS_NOT_SPOKEN'
  | 'XDS_SILENT'
  | 'XDS_BAD_RESOURCES'
  | 'XDS_UNVERSIONED'
  | 'XDS_MESH_CONFIG'
  | 'SIZE'
  | 'TOO_LARGE'
  | 'NEARLY_TOO_LARGE'
  | 'TOO_MANY'
  | 'NEARLY_TOO_MANY';

/** One thing that was looked at. */
export type Finding = {
  readonly code: FindingCode;
  readonly severity: Severity;
  /** What it is about; findings of one subject are shown together. */
  readonly subject: string;
  readonly what: string;
  /** What to do next; there for every warning and error. */
  readonly next?: string;
  /** Numbers and lists of it, for programs. */
  readonly data?: Readonly<Record<string, unknown>>;
};

type Data = Readonly<Record<string, unknown>>;

/** Makes the findings of one subject. */
export function about(subject: string) {
  const make =
    (severity: 'ok' | 'info') =>
    (code: FindingCode, what: string, data?: Data): Finding => ({
      code,
      severity,
      subject,
      what,
      ...(data === undefined ? {} : { data }),
    });
  const complain =
    (severity: 'warning' | 'error') =>
    (code: FindingCode, what: string, next: string, data?: Data): Finding => ({
      code,
      severity,
      subject,
      what,
      next,
      ...(data === undefined ? {} : { data }),
    });
  return { ok: make('ok'), info: make('info'), warning: complain('warning'), error: complain('error') };
}

/** How many findings there are of each severity. */
export function countFindings(findings: readonly Finding[]): Record<Severity, number> {
  const counts = { ok: 0, info: 0, warning: 0, error: 0 };
  for (const { severity } of findings) counts[severity]++;
  return counts;
}

/** The bridge that was to be asked (`http://`, `xds://`) does not answer. */
function isOutOfReach({ code, subject }: Finding): boolean {
  if (subject.startsWith('xds://')) return code === 'UNREACHABLE' || code === 'UNRESOLVED' || code === 'SILENT';
  return code === 'BRIDGE_UNREACHABLE';
}

/**
 * 2 where the config file is wrong and 3 where the bridge that was to be asked does not answer: then most of the work
 * could not be done. Otherwise 1 for warnings and errors, and 0.
 */
export function exitCodeOf(findings: readonly Finding[]): number {
  if (findings.some(({ code }) => code === 'CONFIG_INVALID')) return exitCode.usage;
  if (findings.some(isOutOfReach)) return exitCode.environment;
  return findings.some(({ severity }) => severity === 'warning' || severity === 'error')
    ? exitCode.findings
    : exitCode.ok;
}
