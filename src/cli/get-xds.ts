import { IsthmusError } from '../model/errors.ts';
import { type Kind, kindOfTypeUrl } from '../model/kinds.ts';
import { type HostPort, formatHostPort } from '../net/address.ts';
import { type AdsClientHandlers, openAds } from '../xds/ads-client.ts';
import { v1Minor } from '../xds/istiod-version.ts';
import { served } from './get-bytes.ts';
import type { Reader, Reading } from './get-readers.ts';

/**
 * Asks as istiod does.
 * @param minor of the istiod 1 in whose name it asks; `kinds` are those that it has. @default a new one
 */
export function readXds(address: HostPort, kinds: readonly Kind[], reading: Reading, minor?: number): Reader {
  const subject = `xds://${formatHostPort(address)}`;
  const types = kinds.map((kind) => `${kind.group}/${versionAskedFor(kind, minor)}/${kind.kind}`);
  const handlers: AdsClientHandlers = {
    onResponse({ typeUrl, resources }) {
      const kind = kindOfTypeUrl(typeUrl);
      if (kind === undefined) return;
      reading.onKind({ kind, resources: resources.map(({ value }) => served(kind, value)) });
    },
    onEnd: (code, details) => reading.onEnd(streamError(subject, code, details)),
  };
  return openAds(address, types, handlers, minor);
}

const versionAskedFor = ({ versions }: Kind, minor = v1Minor): string | undefined =>
  minor < v1Minor ? versions[0] : versions.at(-1);

function streamError(subject: string, code: number, details: string): IsthmusError {
  if (code === 12) {
    return new IsthmusError('WRONG_PROTOCOL', subject, 'it does not speak MCP-over-xDS', {
      hint: 'give the address of Isthmus itself (xds.listen), or use http:// for its admin port',
    });
  }
  // GOAWAY with INADEQUATE_SECURITY, as grpc-js says it.
  if (code === 7 && details.includes('not secure enough')) {
    return new IsthmusError('WRONG_PROTOCOL', subject, 'it speaks TLS, and is asked in plaintext here', {
      hint: `ask the admin port of the bridge instead (http://); isthmus check ${subject} shows the certificate`,
    });
  }
  if (code === 14)
    return new IsthmusError('UNREACHABLE', subject, details.replace(/\.? Resolution note: $/, ''), {
      hint: `is the bridge running, and is this its --xds-listen? isthmus check ${subject} looks for the reason`,
    });
  return new IsthmusError(
    'STREAM_ENDED',
    subject,
    `the stream ended with code ${code}${details === '' ? '' : `: ${details}`}`,
  );
}
