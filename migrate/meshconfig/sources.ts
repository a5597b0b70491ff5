import { isRecord } from '../../src/model/record.ts';
import { parseAddress } from '../scan/address.ts';

/**
 * What an address of configSources is to istiod.
 * - `xds`, `fs`, `k8s`: what 1.9 and newer read. `k8s` is exactly `k8s://`.
 * - `legacy`: legacy MCP, as Pilot up to 1.8 dialled it (`host:port`), or as people write it (`mcp://`, `mcps://`).
 * - `k8sWithPath`: begins with k8s but is more or less than `k8s://`: istiod makes no Kubernetes client for it, or ignores it.
 * - `malformed`: begins with xds or fs, and is not what istiod can read (`xds:host:port`, no port).
 * - `template`: has a placeholder in it, so that nobody knows yet.
 * - `unknown`: anything else; 1.9 and newer ignore it with a warning, or don't start.
 */
export type AddressForm = 'xds' | 'fs' | 'k8s' | 'legacy' | 'k8sWithPath' | 'malformed' | 'template' | 'unknown';

/** One entry of configSources. */
export type ConfigSource = {
  /** Place in the list, from 0. */
  readonly index: number;
  /** Empty where it has none, or one that is no text. */
  readonly address: string;
  readonly form: AddressForm;
  /** `host:port` that it names, as written, without scheme, user, path and query; undefined where it names none. */
  readonly host: string | undefined;
  /** As written; undefined where there are none. */
  readonly tlsSettings: Readonly<Record<string, unknown>> | undefined;
  /** As written; empty where there are none. */
  readonly subscribedResources: readonly unknown[];
};

/** Reads the value of `configSources`; what is no list has no entries. */
export function configSourcesOf(value: unknown): ConfigSource[] {
  if (!Array.isArray(value)) return [];
  return value.map((entry: unknown, index) => {
    const fields = isRecord(entry) ? entry : {};
    const address = typeof fields['address'] === 'string' ? fields['address'] : '';
    const tls = fields['tlsSettings'] ?? fields['tls_settings'];
    const subscribed = fields['subscribedResources'] ?? fields['subscribed_resources'];
    return {
      index,
      address,
      form: addressForm(address),
      host: hostOf(address),
      tlsSettings: isRecord(tls) ? tls : undefined,
      subscribedResources: Array.isArray(subscribed) ? subscribed : [],
    };
  });
}

/** Legacy servers as people write them, and schemes by which gRPC of Go finds one: Pilot 1.2 to 1.8 handed them over. */
const legacySchemes = new Set(['mcp', 'mcps', 'dns', 'passthrough', 'ipv4', 'ipv6']);

/** What an address is, by what istiod makes of it (scan/address). */
export function addressForm(address: string): AddressForm {
  const { form, scheme } = parseAddress(address);
  switch (form) {
    case 'xds':
    case 'fs':
    case 'k8s':
      return form;
    case 'k8sInexact':
    case 'k8sPath':
      return 'k8sWithPath';
    case 'xdsWithoutPort':
    case 'xdsWithoutHost':
    case 'xdsMalformed':
    case 'fsWithoutPath':
      return 'malformed';
    case 'name':
    case 'ip':
      return 'legacy';
    case 'nothing':
      // A bare name: gRPC would have asked for its port, and nobody meant anything else by it.
      return /^[\w.-]+$/.test(address) ? 'legacy' : 'unknown';
    case 'otherScheme':
      return legacySchemes.has(scheme) ? 'legacy' : 'unknown';
    default:
      return form;
  }
}

function hostOf(address: string): string | undefined {
  const [, rest = address] = /^[a-z][a-z0-9+.-]*:\/\/(.*)$/is.exec(address) ?? [];
  const authority = rest
    .replace(/^\/+/, '')
    .replace(/[/?#].*$/s, '')
    .replace(/^[^@]*@/, '');
  return authority === '' ? undefined : authority;
}
