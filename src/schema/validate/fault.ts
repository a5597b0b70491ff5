import { valueText, type Path } from '../problem.ts';
import { checkDuration, type Double } from './numbers.ts';
import type { Report } from './violation.ts';

type Percent = { readonly value?: Double };

/** Of an abort and a delay each, one of the last fields at most. */
export type Fault = {
  readonly abort?: {
    readonly percentage?: Percent;
    readonly httpStatus?: number;
    readonly grpcStatus?: string;
    readonly http2Error?: string;
  };
  readonly delay?: {
    readonly percentage?: Percent;
    readonly fixedDelay?: unknown;
    readonly exponentialDelay?: unknown;
  };
};

/** Smaller ones are 0 to Envoy. */
const minPercent = 0.0001;

/** Source: pkg/util/grpc SupportedGRPCStatus, 1.15 to 1.31. */
const grpcStatuses = [
  'OK',
  'CANCELLED',
  'UNKNOWN',
  'INVALID_ARGUMENT',
  'DEADLINE_EXCEEDED',
  'NOT_FOUND',
  'ALREADY_EXISTS',
  'PERMISSION_DENIED',
  'RESOURCE_EXHAUSTED',
  'FAILED_PRECONDITION',
  'ABORTED',
  'OUT_OF_RANGE',
  'UNIMPLEMENTED',
  'INTERNAL',
  'UNAVAILABLE',
  'DATA_LOSS',
  'UNAUTHENTICATED',
];

/** Source: pkg/config/validation validateHTTPFaultInjection, 1.14 to 1.31. 1.14 takes no grpcStatus at all. */
export function checkFault(report: Report, at: Path, { abort, delay }: Fault): void {
  if (abort === undefined && delay === undefined) report('missing', at, 'is empty', 'add abort or delay, or remove it');
  if (abort !== undefined) {
    const here = [...at, 'abort'];
    const { percentage, httpStatus, grpcStatus, http2Error } = abort;
    checkFraction(report, [...here, 'percentage', 'value'], percentage);
    if (grpcStatus !== undefined && !grpcStatuses.includes(grpcStatus)) {
      const message = `${valueText(grpcStatus)} is no status of gRPC`;
      report('unsupported', [...here, 'grpcStatus'], message, 'write its name, such as NOT_FOUND');
    }
    if (http2Error !== undefined) {
      report('unsupported', [...here, 'http2Error'], 'is not built yet', 'write httpStatus');
    }
    if (httpStatus !== undefined && (httpStatus < 200 || httpStatus > 600)) {
      report(
        'numbers',
        [...here, 'httpStatus'],
        `${httpStatus} is no status of HTTP`,
        'write a number from 200 to 599',
      );
    }
  }
  if (delay !== undefined) {
    const here = [...at, 'delay'];
    checkFraction(report, [...here, 'percentage', 'value'], delay.percentage);
    checkDuration(report, [...here, 'fixedDelay'], delay.fixedDelay);
    if (delay.exponentialDelay !== undefined) {
      report('unsupported', [...here, 'exponentialDelay'], 'is not built yet', 'write fixedDelay');
    }
  }
}

function checkFraction(report: Report, at: Path, percent: Percent | undefined): void {
  const value = Number(percent?.value ?? 0);
  if (!(value < 0 || value > 100 || (value > 0 && value < minPercent))) return;
  report('numbers', at, `${value} is no percentage`, `write 0, or a number from ${minPercent} to 100`);
}
