import { IsthmusError } from '../model/errors.ts';
import { type ProtocolHint, protocolHint, type Spoken, systemErrorOf } from '../net/protocol-hint.ts';

/** How a stream of a source ended, and what was seen of the peer by then. */
export type StreamEnd = {
  /** gRPC status. */
  readonly code: number;
  readonly details: string;
  /** By us, over a message that can't be decoded. */
  readonly malformed?: boolean;
  /** The peer never answered in HTTP/2. */
  readonly neverConnected?: boolean;
  /** What went wrong with TLS, where it was to be spoken. */
  readonly tls?: ProtocolHint;
  /** Content type of the answer, where that is none of gRPC. */
  readonly contentType?: string;
};

/** What has to be at a source's address. */
const wanted = 'a legacy MCP server (istio.mcp.v1alpha1)';

const kept = 'what came before stays in force';

/** Longest text of a peer that is shown. */
const maxText = 500;

/** True where only a look at the port can tell what is wrong there. */
export function isRiddle({ neverConnected, details, tls }: StreamEnd): boolean {
  if (neverConnected !== true || tls !== undefined) return false;
  return systemErrorOf(details) === undefined && !isUnresolved(details);
}

/**
 * Says what an operator has to know about the end of a stream.
 *
 * @param subject `source NAME (HOST:PORT)`.
 * @param spoken what was found on the port; undefined where nobody looked.
 * @param isSecure true where TLS was to be spoken.
 */
export function explainEnd(
  subject: string,
  end: StreamEnd,
  maxMessageBytes: number,
  spoken: Spoken | undefined,
  isSecure = false,
): IsthmusError {
  const { code, details } = end;
  const text = details.slice(0, maxText);
  if (end.malformed === true) {
    return new IsthmusError('MESSAGE_MALFORMED', subject, `it sent a message that is no Resources: ${text}`, {
      hint: `${kept}, and it is asked again; is it a server of another protocol, or a proxy that changes messages?`,
    });
  }
  if (end.contentType !== undefined) {
    const answer = /HTTP status code \d+/.exec(text)?.[0] ?? `content type ${end.contentType.slice(0, 100)}`;
    return new IsthmusError('WRONG_PROTOCOL', subject, `it does not speak gRPC, but HTTP/2 (${answer})`, {
      hint: `this may be a web server or a proxy; give the port of ${wanted}`,
    });
  }
  if (end.tls !== undefined) {
    const { problem, hint } = end.tls;
    return new IsthmusError('TLS_FAILED', subject, problem, hint === undefined ? {} : { hint });
  }
  if (end.neverConnected === true) return unreachable(subject, text, spoken, isSecure);
  switch (code) {
    case 0:
      return new IsthmusError('STREAM_ENDED', subject, 'the source ended it', {
        hint: `${kept}, and it is asked again`,
      });
    case 7:
    case 16:
      return new IsthmusError('STREAM_ENDED', subject, `it refuses us (code ${code}): ${text}`, {
        hint: isSecure
          ? 'see that its list of those who may come in has a name of our certificate (tls.cert), and that we show one'
          : 'it wants an identity, which only TLS can give: set tls.cert and tls.key of this source (docs/tls.md)',
      });
    case 8:
      if (!/larger than max|message larger/i.test(details)) break;
      return new IsthmusError(
        'MESSAGE_TOO_LARGE',
        subject,
        `it sent a message of more than ${maxMessageBytes} bytes: ${text}`,
        { hint: `raise maxMessage of this source; ${kept} meanwhile` },
      );
    case 12: {
      const service = serviceIn(details);
      return new IsthmusError('WRONG_PROTOCOL', subject, `it does not serve ${service}: ${text}`, {
        hint:
          `is this the port of ${wanted}? ` +
          (service === 'ResourceSource' ? `${olderService}. ` : '') +
          'An xDS server needs no bridge: ' +
          'where it serves MCP-over-xDS, give its address to istiod (configSources: xds://HOST:PORT)',
      });
    }
    case 14:
      return new IsthmusError('UNREACHABLE', subject, `the connection was lost: ${text}`, {
        hint: `${kept}, and it is dialled again`,
      });
  }
  return new IsthmusError('STREAM_ENDED', subject, `code ${code}: ${text}`, { hint: `${kept}, and it is asked again` });
}

/** What a server may want that has the older service alone. */
const olderService =
  'A server of Istio 1.0 or 1.1 may want protocol: aggregated-1.1 for this source, or profile: galley-1.0';

/** Which of the two services a peer says that it has not. */
function serviceIn(details: string): string {
  return details.includes('AggregatedMeshConfigService') ? 'AggregatedMeshConfigService' : 'ResourceSource';
}

/** What is said of a source that takes our stream, and nothing else. */
export function explainSilence(subject: string, seconds: number, isOpen: boolean): IsthmusError {
  const problem = isOpen
    ? `it is connected, and has sent nothing for ${seconds} s`
    : `it speaks HTTP/2, and has not answered our stream for ${seconds} s`;
  return new IsthmusError('STREAM_ENDED', subject, problem, {
    hint: 'it may have nothing to say yet; what it may hold is kept from istiod until it does. Look at its log',
  });
}

function unreachable(subject: string, text: string, spoken: Spoken | undefined, isSecure: boolean): IsthmusError {
  const why = systemErrorOf(text) ?? (isUnresolved(text) ? 'ENOTFOUND' : undefined);
  const found: Spoken | undefined = why === undefined ? spoken : { speaks: 'unreachable', why };
  if (found === undefined) {
    if (text.includes('Protocol error') && !isSecure) {
      return new IsthmusError('WRONG_PROTOCOL', subject, `it does not speak gRPC, or only with TLS: ${text}`, {
        hint: `is this the plaintext port of ${wanted}?`,
      });
    }
    return new IsthmusError('UNREACHABLE', subject, text, { hint: `see that ${wanted} listens there` });
  }
  const { problem, hint } = protocolHint(found, wanted, isSecure);
  const code = ['http1', 'tls', 'other'].includes(found.speaks) ? 'WRONG_PROTOCOL' : 'UNREACHABLE';
  // Where we ran out of patience, how long that was.
  const patience = found.speaks === 'nothing' && text.includes('within') ? `${text}: ` : '';
  return new IsthmusError(code, subject, `${patience}${problem}`, hint === undefined ? {} : { hint });
}

function isUnresolved(details: string): boolean {
  return details.startsWith('Name resolution failed');
}
