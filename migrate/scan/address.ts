import { isIP, isIPv6 } from 'node:net';

/**
 * What istiod 1.9 and newer makes of the `address` of a config source, by the rules of Go's url.Parse and of
 * initConfigSources (pilot/pkg/bootstrap/configcontroller.go, the same from 1.9 to 1.31).
 */
export type Address = {
  readonly text: string;
  /** The same for messages: what stands before an `@` may be a secret. */
  readonly shown: string;
  readonly form: AddressForm;
  /** In lower case; empty where there is none. */
  readonly scheme: string;
  /** Without the brackets of IPv6; empty where there is none. */
  readonly host: string;
  /** As written; empty where there is none. */
  readonly port: string;
  /** Parts of an `xds://` address of which istiod takes no notice. */
  readonly ignored: readonly string[];
};

/**
 * - `k8s`: exactly `k8s://`
 * - `k8sInexact`: another spelling of it, or one with a host
 * - `k8sPath`: one with a path, which is passed over
 * - `fs`: a folder of files; `fsWithoutPath`: one that names none
 * - `xds`: can be dialled
 * - `xdsWithoutPort`, `xdsWithoutHost`, `xdsMalformed`: can't
 * - `name`: `host:port` without a scheme, as up to 1.8; Go takes the host for a scheme
 * - `ip`: the same with what Go can't take for a scheme: an IP address, or a name with `_`
 * - `nothing`: empty, or a bare word without a port
 * - `otherScheme`: `mcp://` and whatever else has one
 * - `template`: holds a placeholder, so that it is not known yet
 */
export type AddressForm =
  | 'k8s'
  | 'k8sInexact'
  | 'k8sPath'
  | 'fs'
  | 'fsWithoutPath'
  | 'xds'
  | 'xdsWithoutPort'
  | 'xdsWithoutHost'
  | 'xdsMalformed'
  | 'name'
  | 'ip'
  | 'nothing'
  | 'otherScheme'
  | 'template';

/** `{{ .Values.x }}` of Helm, `${X}` and `$(X)` of others. */
export const placeholder = /\{\{|\$\{|\$\(/;

const schemeForm = /^([a-zA-Z][a-zA-Z0-9+.-]*):(.*)$/s;

export function parseAddress(text: string): Address {
  const shown = text.replace(/^([^/]*\/\/)?[^/?#]*@/, '$1…@');
  const base = { text, shown, scheme: '', host: '', port: '', ignored: [] };
  if (placeholder.test(text)) return { ...base, form: 'template' };
  const [, scheme, rest = ''] = schemeForm.exec(text) ?? [];
  if (scheme === undefined) return withoutScheme(text, base);
  if (!rest.startsWith('//') && !['xds', 'k8s', 'fs', 'mcp', 'mcps'].includes(scheme.toLowerCase())) {
    return { ...base, ...hostPort(text), form: 'name' };
  }
  const parts = { ...base, scheme: scheme.toLowerCase() };
  switch (parts.scheme) {
    case 'k8s':
      return { ...parts, form: k8sForm(text, rest) };
    case 'fs':
      return { ...parts, form: rest.replace(/^\/\/[^/]*/, '').startsWith('/') ? 'fs' : 'fsWithoutPath' };
    case 'xds':
      return xdsAddress(parts, rest);
    default:
      return { ...parts, ...authority(rest).target, form: 'otherScheme' };
  }
}

/** True where istiod dials something, or up to 1.8 did: another process has what it gets. */
export function isNetwork({ form }: Address): boolean {
  return !['k8s', 'k8sInexact', 'k8sPath', 'fs', 'fsWithoutPath', 'template', 'nothing'].includes(form);
}

/** True for what Pilot up to 1.8 took for a legacy MCP server. */
export function isLegacy({ form }: Address): boolean {
  return form === 'name' || form === 'ip' || form === 'otherScheme';
}

/** True where istiod 1.9 and newer reads Istio's objects of its own cluster. */
export function isKubernetes({ form }: Address): boolean {
  return form === 'k8s' || form === 'k8sInexact';
}

type Parts = Omit<Address, 'form'>;

function withoutScheme(text: string, base: Parts): Address {
  const target = hostPort(text);
  // Go: "first path segment in URL cannot contain colon".
  const isRefused = /^[^/]*:/.test(text);
  return { ...base, ...target, form: isRefused ? 'ip' : 'nothing' };
}

function k8sForm(text: string, rest: string): AddressForm {
  if (text === 'k8s://') return 'k8s';
  const { path } = authority(rest);
  return path === '' || path === '/' ? 'k8sInexact' : 'k8sPath';
}

function xdsAddress(parts: Parts, rest: string): Address {
  const { target, path, query, user, isMalformed } = authority(rest);
  const ignored =
    target.host === ''
      ? []
      : [
          ...(user === '' ? [] : ['the user part']),
          ...(path === '' || path === '/' ? [] : [`the path ${path}`]),
          ...(query === '' ? [] : [`the query ${query}`]),
        ];
  const all = { ...parts, ...target, ignored };
  if (!rest.startsWith('//') || target.host === '') return { ...all, form: 'xdsWithoutHost' };
  if (isMalformed) return { ...all, form: 'xdsMalformed' };
  return { ...all, form: target.port === '' ? 'xdsWithoutPort' : 'xds' };
}

/** What stands behind `scheme:`. */
function authority(rest: string) {
  const match = /^\/\/(?:([^/?#]*)@)?([^/?#@]*)([^?#]*)(\?[^#]*)?/s.exec(rest);
  const [, user = '', host = '', path = '', query = ''] = match ?? [];
  const target = hostPort(host);
  const isIPv6Bare = host.split(':').length > 2 && !host.startsWith('[');
  const isMalformed =
    isIPv6Bare ||
    /[\s<>"\p{Cc}]/u.test(host) ||
    (target.port !== '' && !isPort(target.port)) ||
    /\]./.test(host.replace(/\]:\d+$/, ']'));
  return {
    target,
    path: match === null ? rest : path,
    query,
    user: user === '' && !rest.includes('@') ? '' : user || '@',
    isMalformed,
  };
}

function hostPort(text: string): { host: string; port: string } {
  const match = /^(?:\[([^\]]*)\]|(.*?))(?::([^:]*))?$/s.exec(text);
  return { host: (match?.[1] ?? match?.[2] ?? '').toLowerCase(), port: match?.[3] ?? '' };
}

const isPort = (text: string): boolean => /^\d{1,5}$/.test(text) && Number(text) >= 1 && Number(text) <= 65535;

/** True for an IP address. */
export const isAddress = (host: string): boolean => isIP(host) !== 0;

/** `host:port` as it is dialled, for comparison. */
export function targetText({ host, port }: Address): string {
  return `${isIPv6(host) ? `[${host}]` : host}:${port}`;
}
