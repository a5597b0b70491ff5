import { STATUS_CODES } from 'node:http';
import { valueText, type Path } from '../problem.ts';
import { checkDuration, checkNotNegative } from './numbers.ts';
import type { Report } from './violation.ts';

export type Retries = {
  readonly attempts?: number;
  readonly perTryTimeout?: unknown;
  readonly retryOn?: string;
  readonly retryRemoteLocalities?: boolean;
};

/** Those of 1.31; older ones lack some. Source: pkg/config/validation supportedRetryOnPolicies. */
const policies = new Set([
  '5xx',
  'gateway-error',
  'reset',
  'reset-before-request',
  'connect-failure',
  'retriable-4xx',
  'refused-stream',
  'retriable-status-codes',
  'retriable-headers',
  'envoy-ratelimited',
  'http3-post-connect-failure',
  'cancelled',
  'deadline-exceeded',
  'internal',
  'resource-exhausted',
  'unavailable',
]);

/** Source: pkg/config/validation validateHTTPRetry, 1.14 to 1.31. */
export function checkRetries(report: Report, at: Path, retries: Retries): void {
  const { attempts = 0, perTryTimeout, retryOn = '', retryRemoteLocalities } = retries;
  checkNotNegative(report, [...at, 'attempts'], attempts);
  const configured = perTryTimeout !== undefined || retryOn !== '' || retryRemoteLocalities !== undefined;
  if (attempts === 0 && configured) {
    report('conflict', [...at, 'attempts'], 'is 0, and other settings of retries are given', 'write 1 or more');
  }
  checkDuration(report, [...at, 'perTryTimeout'], perTryTimeout);
  for (const policy of retryOn === '' ? [] : retryOn.split(',')) {
    if (policies.has(policy) || isStatus(policy)) continue;
    const message = `${valueText(policy)} is no reason to retry`;
    report('unsupported', [...at, 'retryOn'], message, 'write Envoy names, such as 5xx, with commas and no spaces');
  }
}

/** True for a status that has a text in Go: a subset of Node's, which are three digits too. */
const isStatus = (text: string): boolean => /^\+?\d{1,19}$/.test(text) && STATUS_CODES[Number(text)] !== undefined;
