import { nearShare } from '../model/size-level.ts';
import { addressProblem, virtualAddresses } from '../admin/findings/addresses.ts';
import { countOf, sizeText } from '../model/texts.ts';
import { about, type Finding } from './check-findings.ts';

/** What is served of one kind. */
export type KindSize = {
  readonly kind: string;
  readonly resources: number;
  readonly bytes: number;
  /** Hosts that ask istiod for a virtual address. @default null, nobody has counted */
  readonly unaddressedHosts?: number | null;
};

/** What is known of the istiods that read it: `old` = up to 1.11, `new` = 1.12 and newer. */
export type Readers = 'old' | 'new' | 'unknown';

/** istiod up to 1.11 kept gRPC's default for a response (measured on 1.9.9 and 1.11.8). */
const oldIstiodBytes = 4 << 20;

/** istiod 1.12 and newer takes what gRPC can say. */
const newIstiodBytes = 2 ** 31 - 1;

/** For when nobody knows which istiods there are. */
const sayVersion = 'if no istiod is older than 1.12, say so with istiod.version in the config or --istiod-version';

/** The istiods that a version setting and the connected streams speak of. */
export function readersOf(version: string | undefined, profiles: readonly string[] = []): Readers {
  if (version !== undefined) return Number(version.split('.')[1]) <= 11 ? 'old' : 'new';
  if (profiles.includes('up-to-1.11')) return 'old';
  return profiles.length > 0 && profiles.every((name) => name === '1.12-and-newer') ? 'new' : 'unknown';
}

/** One finding for each kind that has something, and one for each limit that is near or passed. */
export function sizeFindings(subject: string, sizes: readonly KindSize[], readers: Readers): Finding[] {
  const { ok, warning, error } = about(subject);
  return sizes.flatMap(({ kind, resources, bytes, unaddressedHosts = null }): Finding[] => {
    if (resources === 0) return [];
    const text = `${kind}: ${countOf(resources, 'resource')}, ${sizeText(bytes)}`;
    const findings = [ok('SIZE', text, { kind, resources, bytes })];
    const [limit, who] =
      readers === 'new'
        ? [newIstiodBytes, 'no istiod takes more than 2 GiB']
        : [oldIstiodBytes, 'istiod up to 1.11 takes 4 MiB'];
    const data = { kind, bytes, limit };
    const what = `${kind} is ${sizeText(bytes)} in one response; ${who}`;
    const share = 'share the resources out over several bridges';
    if (bytes > limit && readers !== 'unknown') {
      const next = readers === 'old' ? `upgrade that istiod to 1.12 or newer, or ${share}` : share;
      findings.push(error('TOO_LARGE', what, next, data));
    } else if (bytes >= limit * nearShare) {
      const unknown = `${sayVersion}, else upgrade the old ones first`;
      const next = readers === 'unknown' ? unknown : share;
      findings.push(warning(bytes > limit ? 'TOO_LARGE' : 'NEARLY_TOO_LARGE', what, next, data));
    }
    return [...findings, ...countFindings(kind, resources, unaddressedHosts, warning)];
  });
}

function countFindings(
  kind: string,
  resources: number,
  hosts: number | null,
  warning: ReturnType<typeof about>['warning'],
): Finding[] {
  const count = hosts ?? resources;
  if (kind !== 'ServiceEntry' || count < virtualAddresses * nearShare) return [];
  const what =
    addressProblem(hosts) ??
    `there are ${count} ServiceEntries; istiod up to 1.24 has virtual addresses for ${virtualAddresses} of those that ` +
      'name none themselves';
  const next = 'give ServiceEntries their own spec.addresses, or turn the automatic allocation off';
  const data = { kind, resources, unaddressedHosts: hosts, limit: virtualAddresses };
  return [warning(count > virtualAddresses ? 'TOO_MANY' : 'NEARLY_TOO_MANY', what, next, data)];
}
