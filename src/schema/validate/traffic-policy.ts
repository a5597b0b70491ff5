import type { Path } from '../problem.ts';
import { checkLocality, type LocalitySettings } from './locality.ts';
import { checkDuration, checkNotNegative, checkPercent } from './numbers.ts';
import { each, hasOnly, type Report } from './violation.ts';

type OutlierDetection = {
  readonly interval?: unknown;
  readonly baseEjectionTime?: unknown;
  readonly maxEjectionPercent?: number;
  readonly minHealthPercent?: number;
  readonly splitExternalLocalOriginErrors?: boolean;
  readonly consecutiveLocalOriginFailures?: number;
};

type HttpPool = {
  readonly http1MaxPendingRequests?: number;
  readonly http2MaxRequests?: number;
  readonly maxRequestsPerConnection?: number;
  readonly maxRetries?: number;
  readonly idleTimeout?: unknown;
  readonly h2UpgradePolicy?: string | number;
  readonly useClientProtocol?: boolean;
};

type ConnectionPool = {
  readonly tcp?: { readonly maxConnections?: number; readonly connectTimeout?: unknown };
  readonly http?: HttpPool;
};

type LoadBalancer = {
  readonly consistentHash?: { readonly httpCookie?: { readonly name?: string } };
  readonly localityLbSetting?: LocalitySettings;
};

type ClientTls = {
  readonly mode?: string | number;
  readonly clientCertificate?: string;
  readonly privateKey?: string;
  readonly caCertificates?: string;
  readonly credentialName?: string;
};

type PortPolicy = {
  readonly port?: object;
  readonly outlierDetection?: OutlierDetection;
  readonly connectionPool?: ConnectionPool;
  readonly loadBalancer?: LoadBalancer;
  readonly tls?: ClientTls;
};

export type TrafficPolicy = PortPolicy & { readonly portLevelSettings?: readonly PortPolicy[] };

/** Source: pkg/config/validation validateTrafficPolicy and what it calls, 1.14 to 1.31. */
export function checkTrafficPolicy(report: Report, at: Path, policy: TrafficPolicy | undefined): void {
  if (policy === undefined) return;
  if (hasOnly(policy)) {
    report('missing', at, 'is empty', 'write a setting, or remove it');
    return;
  }
  checkSettings(report, at, policy);
  each(policy.portLevelSettings, [...at, 'portLevelSettings'], (settings, here) => {
    if (settings.port === undefined) report('ports', [...here, 'port'], 'is missing', 'write port: { number: … }');
    if (hasOnly(settings, ['port'])) report('missing', here, 'has no settings', 'write a setting, or remove it');
    else checkSettings(report, here, settings);
  });
}

function checkSettings(report: Report, at: Path, policy: PortPolicy): void {
  const { outlierDetection, connectionPool, loadBalancer, tls } = policy;
  if (outlierDetection !== undefined) checkOutliers(report, [...at, 'outlierDetection'], outlierDetection);
  if (connectionPool !== undefined) checkPool(report, [...at, 'connectionPool'], connectionPool);
  if (loadBalancer !== undefined) checkLoadBalancer(report, [...at, 'loadBalancer'], loadBalancer);
  if (tls !== undefined) checkClientTls(report, [...at, 'tls'], tls);
}

function checkOutliers(report: Report, at: Path, outliers: OutlierDetection): void {
  checkDuration(report, [...at, 'interval'], outliers.interval);
  checkDuration(report, [...at, 'baseEjectionTime'], outliers.baseEjectionTime);
  checkPercent(report, [...at, 'maxEjectionPercent'], outliers.maxEjectionPercent);
  checkPercent(report, [...at, 'minHealthPercent'], outliers.minHealthPercent);
  const { consecutiveLocalOriginFailures = 0, splitExternalLocalOriginErrors = false } = outliers;
  if (consecutiveLocalOriginFailures > 0 && !splitExternalLocalOriginErrors) {
    const message = 'is given, and splitExternalLocalOriginErrors is not true';
    const hint = 'write splitExternalLocalOriginErrors: true, or remove it';
    report('conflict', [...at, 'consecutiveLocalOriginFailures'], message, hint);
  }
}

const counts = ['http1MaxPendingRequests', 'http2MaxRequests', 'maxRequestsPerConnection', 'maxRetries'] as const;

function checkPool(report: Report, at: Path, pool: ConnectionPool): void {
  if (hasOnly(pool)) report('missing', at, 'is empty', 'write tcp or http settings, or remove it');
  const { tcp, http } = pool;
  if (http !== undefined) {
    for (const name of counts) checkNotNegative(report, [...at, 'http', name], http[name]);
    checkDuration(report, [...at, 'http', 'idleTimeout'], http.idleTimeout);
    if (http.h2UpgradePolicy === 'UPGRADE' && http.useClientProtocol === true) {
      const message = 'is true, and h2UpgradePolicy UPGRADE chooses the protocol';
      report('conflict', [...at, 'http', 'useClientProtocol'], message, 'keep one of the two');
    }
  }
  if (tcp !== undefined) {
    checkNotNegative(report, [...at, 'tcp', 'maxConnections'], tcp.maxConnections);
    checkDuration(report, [...at, 'tcp', 'connectTimeout'], tcp.connectTimeout);
  }
}

function checkLoadBalancer(report: Report, at: Path, { consistentHash, localityLbSetting }: LoadBalancer): void {
  const cookie = consistentHash?.httpCookie;
  if (cookie !== undefined && (cookie.name ?? '') === '') {
    report('missing', [...at, 'consistentHash', 'httpCookie', 'name'], 'is missing', 'name the cookie');
  }
  if (localityLbSetting !== undefined) checkLocality(report, [...at, 'localityLbSetting'], localityLbSetting);
}

/** Source: pkg/config/validation ValidateTLS, 1.14 to 1.31. */
function checkClientTls(report: Report, at: Path, tls: ClientTls): void {
  const { mode, credentialName = '', clientCertificate = '', privateKey = '', caCertificates = '' } = tls;
  if ((mode === 'SIMPLE' || mode === 'MUTUAL') && credentialName !== '') {
    if (clientCertificate + privateKey + caCertificates !== '') {
      const message = 'is given beside certificates';
      report('tls', [...at, 'credentialName'], message, 'keep the credential or the certificates');
    }
    return;
  }
  if (mode !== 'MUTUAL') return;
  const hint = 'name the file, or write a credentialName';
  if (clientCertificate === '') {
    report('tls', [...at, 'clientCertificate'], 'is missing, and MUTUAL needs one', hint);
  }
  if (privateKey === '') report('tls', [...at, 'privateKey'], 'is missing, and MUTUAL needs one', hint);
}
