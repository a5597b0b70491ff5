import { listOf, textOf, valueAt } from '../scan/json.ts';
import type { Resource } from '../scan/resources.ts';
import type { Check, Found } from './check.ts';

/** 240.240.0.0/16 without what ends in 0 and 255 (autoAllocateIPs, 1.20 to 1.24; 64,770 up to 1.16). */
const maxAddresses = 65_024;

/** Where one should begin to think of it. */
const warningFrom = 52_000;

/** What istiod gives an address to: a ServiceEntry with a host that is no pattern, resolution, and no address of its own. */
function wantsAddress({ kind, object }: Resource): boolean {
  if (kind?.kind !== 'ServiceEntry') return false;
  const spec = object.json['spec'];
  const resolution = textOf(valueAt(spec, ['resolution'])) ?? 'NONE';
  const hosts = listOf(valueAt(spec, ['hosts']));
  return (
    resolution !== 'NONE' &&
    listOf(valueAt(spec, ['addresses'])).length === 0 &&
    hosts.some((host) => !String(host).startsWith('*'))
  );
}

export const autoAddresses: Check = {
  code: 'AUTO_ADDRESSES',
  severities: ['error', 'warning', 'info'],
  finds:
    'ServiceEntries without `addresses`: more than istiod can give one to (a warning from 52,000), and those behind the bridge for istiod 1.25 and newer, whose controller gives one to Kubernetes’ own only (info).',
  left: [
    {
      from: 9,
      to: 24,
      what: 'gives an address to 65,024 of them at most: “out of IPs to allocate for service entries” (64,770 up to 1.16)',
    },
    {
      from: 25,
      what: 'gives addresses by a controller that writes them into Kubernetes’ ServiceEntries: those of a config source get none, unless PILOT_ENABLE_IP_AUTOALLOCATE is false (by its source, not run); then 65,024 at most',
    },
  ],
  fix: 'Give them addresses, or do without: only TCP services that are told apart by address, and DNS capture, need one.',
  source:
    'Istio pilot/pkg/serviceregistry/serviceentry/controller.go, autoAllocateIPs, 1.9 to 1.30; pilot/pkg/controllers/ipallocate; features.EnableIPAutoallocate is true since 1.25',
  applicable: ({ resources, behind = [] }) => resources.length + behind.length > 0,
  run(scanned) {
    const own = scanned.resources.filter((resource) => wantsAddress(resource));
    const served = (scanned.behind ?? []).filter((resource) => wantsAddress(resource));
    return [...tooMany([...own, ...served]), ...unserved(served)];
  },
};

function tooMany(all: readonly Resource[]): Found[] {
  const last = all[Math.min(all.length, maxAddresses + 1) - 1];
  if (last === undefined || all.length < warningFrom) return [];
  const message = `${all.length.toLocaleString('en')} ServiceEntries want an automatic address; istiod has ${maxAddresses.toLocaleString('en')}`;
  const fix = 'give addresses to those that need one: TCP services that are told apart by address, with DNS capture';
  return [{ at: last.at, message, fix, severity: all.length > maxAddresses ? 'error' : 'warning' }];
}

function unserved([first, ...more]: readonly Resource[]): Found[] {
  if (first === undefined) return [];
  const others = more.length === 0 ? '' : ` and ${more.length.toLocaleString('en')} others behind the bridge`;
  const message = `ServiceEntry ${first.key}${others} have no addresses, so no automatic one from istiod 1.25 on`;
  const fix =
    'nothing, if sidecars do not capture DNS, or these are HTTP; else give them addresses, or set PILOT_ENABLE_IP_AUTOALLOCATE=false on istiod';
  const left = autoAddresses.left.filter(({ from }) => from === 25);
  return [{ at: first.at, message, fix, severity: 'info', left }];
}
