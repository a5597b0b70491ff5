import type { TlsView } from '../views.ts';
import { thresholdsOf, timeText } from '../../net/tls-identity.ts';

/** What a page says of how a source is dialled. */
export type DialledSource = { readonly name: string; readonly tls?: { readonly insecureSkipVerify?: boolean } };

/** Sources that anybody could be. */
export function unverifiedProblems(sources: readonly DialledSource[]): { what: string; next: string }[] {
  return sources.flatMap(({ name, tls }) => {
    if (tls?.insecureSkipVerify !== true) return [];
    const what = `INSECURE: whoever answers at the address of source ${name} is believed, and may change all services`;
    return [{ what, next: 'give its CA (tls.ca) in place of insecureSkipVerify' }];
  });
}

/** What is wrong with the TLS files of a running bridge, or will be soon. @param now milliseconds since 1970. */
export function tlsProblems(views: readonly TlsView[], now: number): { what: string; next: string }[] {
  return views.flatMap(({ use, files, certificate, authorities, refused, isUnusable }) => {
    const problems: { what: string; next: string }[] = [];
    if (refused !== null) {
      const stays = isUnusable ? 'no connection is possible' : 'those before them stay in use';
      problems.push({ what: `TLS files of ${use} can't be used, ${stays}: ${refused.what}`, next: refused.next });
    }
    const last = authorities.toSorted((a, b) => a.validTo.localeCompare(b.validTo)).at(-1);
    for (const [one, what] of [
      [certificate, `the certificate of ${use} (${files.cert})`],
      [last, `the CA of ${use} (${files.ca})`],
    ] as const) {
      if (one === null || one === undefined) continue;
      const validTo = new Date(one.validTo);
      const left = validTo.getTime() - now;
      if (!thresholdsOf({ ...one, validFrom: new Date(one.validFrom), validTo }).some((threshold) => left < threshold))
        continue;
      problems.push({
        what: left < 0 ? `${what} ended on ${one.validTo}: peers refuse it` : `${what} ends in ${timeText(left)}`,
        next: 'renew it, if nothing does so by itself',
      });
    }
    return problems;
  });
}
