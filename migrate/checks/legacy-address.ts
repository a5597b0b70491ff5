import type { Address } from '../scan/address.ts';
import type { ConfigSource } from '../scan/mesh-config.ts';

/** True where the server is Galley, by its name: what it serves is Kubernetes' own. */
export const isGalley = ({ host }: Address): boolean => /(^|[-.])galley([-.]|$)/.test(host);

/** What to do about the address of a legacy server: give it to the bridge, and the bridge's address to istiod. */
export function bridgeFix({ address, tls }: ConfigSource): string {
  const instead = isGalley(address) ? 'put k8s:// in its place, since Galley has what is in Kubernetes; or ' : '';
  return (
    `${instead}let the bridge read it (isthmus serve --source ${sourceName(address)}=${legacyUrl(address, tls?.mode)}), and write the ` +
    'bridge’s own address in its place, with a scheme: xds://HOST:PORT (isthmus migrate patch does that)'
  );
}

/** `istio-galley.istio-system.svc` → `galley`; `consul-mcp.x` → `consul-mcp`. */
function sourceName({ host }: Address): string {
  const [label = ''] = host.split('.');
  const name = label.replace(/^istio-/, '').replaceAll(/[^a-z0-9-]/g, '');
  return /^[a-z]/.test(name) ? name : 'legacy';
}

/** The same for all sources of a bridge, no two of which have the same: `galley`, `galley-2`. */
export function sourceNames(addresses: readonly Address[]): string[] {
  const seen = new Map<string, number>();
  return addresses.map((address) => {
    const name = sourceName(address);
    const count = (seen.get(name) ?? 0) + 1;
    seen.set(name, count);
    return count === 1 ? name : `${name}-${count}`;
  });
}

/** The address as Isthmus takes it. */
export function legacyUrl({ host, port }: Address, mode: string | undefined): string {
  const scheme = mode === undefined || mode === 'DISABLE' ? 'mcp' : 'mcps';
  return `${scheme}://${host.includes(':') ? `[${host}]` : host}:${port === '' ? 'PORT' : port}`;
}
