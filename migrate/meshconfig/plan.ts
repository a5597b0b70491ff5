import { isRecord } from '../../src/model/record.ts';
import { isDeepStrictEqual } from 'node:util';
import { istiodTlsMinor } from '../../src/model/istiod-tls.ts';
import type { ConfigSource } from './sources.ts';

/** What configSources is to become. */
export type Wish = {
  /** `host:port` of the bridge, with brackets round an IPv6 address. */
  readonly bridge: string;
  /** Whether `k8s://` has to be in the list. */
  readonly kubernetes: boolean;
  /** Minor version of the istiod that is to read it; undefined where nobody said. */
  readonly toMinor: number | undefined;
};

/** One change to the list; `index` is that of the entry before any change. */
export type Step =
  | { readonly do: 'setAddress'; readonly index: number; readonly address: string }
  | { readonly do: 'dropKey'; readonly index: number; readonly key: string }
  | { readonly do: 'dropEntry'; readonly index: number }
  /** Stands before the entry of that index, or behind all for the length of the list. */
  | { readonly do: 'insert'; readonly index: number; readonly address: string };

/** Something to tell the operator: what was done and why, or what is left to do. */
export type Remark = { readonly severity: 'change' | 'warning'; readonly text: string };

export type Plan = {
  /** In the order of the list; empty where it is already as it should be. */
  readonly steps: readonly Step[];
  /** The list as it will be. */
  readonly result: readonly unknown[];
  readonly remarks: readonly Remark[];
  /** Addresses of legacy sources that the bridge has to dial from now on, as written. */
  readonly moved: readonly ConfigSource[];
};

/** The first minor version that keeps the endpoints of the same namespace/name of two entries apart (krt stores). */
const sharedKeyMinor = 30;

/**
 * Decides what becomes of each entry of `configSources`: one address of the bridge in the place of the first legacy source, the others
 * gone; `k8s://` behind all, where it is missing and wanted. Everything else stays as it is. A second plan over the result has no steps.
 * @param raw the list as data, for what the entries have beside an address.
 */
export function planSources(sources: readonly ConfigSource[], raw: readonly unknown[], wish: Wish): Plan {
  const bridge = `xds://${wish.bridge}`;
  const legacy = sources.filter(({ form }) => form === 'legacy');
  const present = sources.find(({ form, host }) => form === 'xds' && host?.toLowerCase() === wish.bridge.toLowerCase());
  const replaced = present === undefined ? legacy[0] : undefined;
  const steps: Step[] = [];
  const remarks: Remark[] = [];
  const result: unknown[] = [];
  const change = (text: string) => remarks.push({ severity: 'change', text });
  const warn = (text: string) => remarks.push({ severity: 'warning', text });

  const oddKubernetes = sources.filter(({ form }) => form === 'k8sWithPath');
  const hasKubernetes = sources.some(({ form }) => form === 'k8s');
  const mended = wish.kubernetes && !hasKubernetes ? oddKubernetes[0] : undefined;
  const bridgeAt = sources.find(({ form }) => form === 'k8s' || form === 'k8sWithPath')?.index ?? sources.length;

  const insertBridge = () => {
    steps.push({ do: 'insert', index: bridgeAt, address: bridge });
    result.push({ address: bridge });
    const where = bridgeAt < sources.length ? 'before k8s://' : sources.length > 0 ? 'behind what is there' : 'first';
    change(
      `adds ${bridge}, ${where}: what comes first in the list wins where two entries have the same namespace/name`,
    );
  };
  for (const source of sources) {
    const { index, address } = source;
    const entry = raw[index];
    if (present === undefined && replaced === undefined && index === bridgeAt) insertBridge();
    if (source === replaced) {
      steps.push({ do: 'setAddress', index, address: bridge });
      change(
        `${address} becomes ${bridge}: ${reasonOf(source)}; it keeps its place in the list, so what won over other entries still does`,
      );
      const drop = keysToDrop(entry);
      for (const key of drop) {
        steps.push({ do: 'dropKey', index, key });
        change(`${key} of ${address} goes: ${reasonToDrop(key, source, wish.toMinor)}`);
      }
      result.push(without(entry, drop, bridge));
    } else if (source.form === 'legacy') {
      steps.push({ do: 'dropEntry', index });
      change(`${address} goes: the bridge asks all legacy sources, and stands in the list once`);
    } else if (source === mended) {
      steps.push({ do: 'setAddress', index, address: 'k8s://' });
      change(`${address} becomes k8s://: istiod takes only exactly that for Kubernetes`);
      result.push(without(entry, [], 'k8s://'));
    } else {
      result.push(entry);
      const why = leftAsIs(source);
      if (why !== undefined) warn(why);
    }
  }
  if (present === undefined && replaced === undefined && bridgeAt === sources.length) insertBridge();
  if (wish.kubernetes && !hasKubernetes && mended === undefined) {
    steps.push({ do: 'insert', index: sources.length, address: 'k8s://' });
    result.push({ address: 'k8s://' });
    change(
      'adds k8s:// at the end: with configSources set, istiod reads Istio resources of Kubernetes only if it is in the list; the entries before it win, as they did',
    );
  }
  if (!wish.kubernetes && !hasKubernetes) {
    warn('k8s:// is not in the list: istiod will read no Istio resource of Kubernetes');
  }
  warnAboutMoved(legacy, wish, warn);
  return { steps, result, remarks, moved: legacy };
}

/** True where the list as data is what the plan made of it. */
export function isResult(list: unknown, plan: Plan): boolean {
  return isDeepStrictEqual(list, plan.result);
}

function reasonOf({ address }: ConfigSource): string {
  if (/^mcps?:/i.test(address)) return 'it is legacy MCP, and no istiod has ever read mcp:// in configSources';
  if (/^(\d+\.|\[)/.test(address)) return 'istiod 1.9 and newer do not start with an IP address that has no scheme';
  return 'it is legacy MCP, which istiod 1.9 and newer do not speak: they ignore such an address, or do not start';
}

const tlsKeys = ['tlsSettings', 'tls_settings'];
const subscribedKeys = ['subscribedResources', 'subscribed_resources'];

/** Fields of a legacy source that mean nothing, or the wrong thing, beside the bridge's address. */
function keysToDrop(entry: unknown): string[] {
  return isRecord(entry) ? [...tlsKeys, ...subscribedKeys].filter((key) => key in entry) : [];
}

function reasonToDrop(key: string, { tlsSettings }: ConfigSource, toMinor: number | undefined): string {
  if (subscribedKeys.includes(key)) return 'no istiod since 1.6 reads it';
  const mode = typeof tlsSettings?.['mode'] === 'string' ? tlsSettings['mode'] : 'DISABLE';
  const before = `istiod before 1.${istiodTlsMinor} ignores it and connects in plaintext`;
  const since =
    mode === 'SIMPLE'
      ? `1.${istiodTlsMinor} and newer would speak TLS to the bridge, and take caCertificates for the certificate itself, not for a path`
      : `1.${istiodTlsMinor} and newer take ${mode} for plaintext`;
  const why = toMinor === undefined ? `${before}, ${since}` : toMinor < istiodTlsMinor ? before : since;
  return `it was for the legacy server; ${why}`;
}

function without(entry: unknown, keys: readonly string[], address: string): unknown {
  const kept = Object.entries(isRecord(entry) ? entry : {}).filter(([key]) => !keys.includes(key));
  return Object.fromEntries(kept.map(([key, value]) => [key, key === 'address' ? address : value]));
}

function leftAsIs({ form, address }: ConfigSource): string | undefined {
  if (form === 'unknown')
    return `"${address}" stays as it is: istiod knows no such address, and ignores it or does not start`;
  if (form === 'k8sWithPath') return `${address} stays as it is: istiod takes only exactly k8s:// for Kubernetes`;
  return undefined;
}

function warnAboutMoved(legacy: readonly ConfigSource[], wish: Wish, warn: (text: string) => void): void {
  for (const { address, tlsSettings, host } of legacy) {
    const mode = tlsSettings?.['mode'];
    if (typeof mode === 'string' && mode !== 'DISABLE') {
      warn(`${address} was dialled with TLS (${mode}): give its certificates to the bridge (docs/tls.md)`);
    }
    if (wish.kubernetes && /galley/i.test(host ?? '')) {
      const wrong =
        wish.toMinor !== undefined && wish.toMinor >= sharedKeyMinor
          ? ''
          : `; istiod before 1.${sharedKeyMinor} then serves wrong endpoints`;
      warn(
        `${address} looks like Galley, which serves what Kubernetes has. With k8s:// istiod reads that by itself: ` +
          `the bridge must not bring the same namespace/name once more${wrong}. ` +
          'Either the bridge does not ask Galley (which can go), or use --no-k8s',
      );
    }
  }
}
