import { type Certificate, nameOfCertificate } from './tls-certificate.ts';
import type { ProtocolHint } from './protocol-hint.ts';

/** What is known of our side when a server can't be spoken to over TLS. */
export type OurSide = {
  /** The host name that the server's certificate has to have. */
  readonly name: string;
  /** Where ours is, and what it is called; undefined where we have none to show. */
  readonly certificate: string | undefined;
  /** The file with the CAs; undefined = those of Node. */
  readonly caFile: string | undefined;
};

/** Why the certificate of a server is not believed. @param code OpenSSL's, as Node gives it. @param now of this host. */
export function explainUnverified(
  code: string,
  certificate: Certificate | undefined,
  ours: OurSide,
  now: Date,
): ProtocolHint {
  const name = certificate === undefined ? 'its certificate' : `its certificate (${nameOfCertificate(certificate)})`;
  const by = certificate?.issuer ? `, signed by "${certificate.issuer}",` : '';
  const trusted = ours.caFile === undefined ? 'none of the CAs of this host' : `none of the CAs in ${ours.caFile}`;
  switch (code) {
    case 'CERT_HAS_EXPIRED': {
      const isItself = certificate !== undefined && certificate.validTo < now;
      return {
        problem: isItself ? `${name} ended on ${certificate.validTo.toISOString()}` : `what signed ${name} has ended`,
        hint: `renew it at the server, or set the clock of this host, which says ${now.toISOString()}`,
      };
    }
    case 'CERT_NOT_YET_VALID': {
      const from = certificate === undefined ? '' : ` on ${certificate.validFrom.toISOString()}`;
      return {
        problem: `${name} begins only${from}`,
        hint: `see the clocks of both hosts: this one says ${now.toISOString()}`,
      };
    }
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
      return {
        problem: `${name} is self-signed, and is ${trusted}`,
        hint: 'where it is the right server, give that very certificate as tls.ca',
      };
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
      return {
        problem: `${name}${by} is signed by ${trusted}`,
        hint: 'give the CA of the server as tls.ca; an intermediate that the server leaves out belongs there too',
      };
    case 'CERT_SIGNATURE_FAILURE':
      return {
        problem: `${name}${by} is signed by another key than that of the CA of this name${ours.caFile === undefined ? '' : ` in ${ours.caFile}`}`,
        hint: 'the CA was made anew: give the present one as tls.ca',
      };
    case 'INVALID_PURPOSE':
      return { problem: `${name} is not made for a server`, hint: 'give the server one with the usage serverAuth' };
    default:
      return {
        problem: `${name} can't be verified (${code})`,
        hint: 'look at the certificates of the server, and at tls.ca',
      };
  }
}

/** Why a certificate that is genuine is not that of the server that was dialled. */
export function explainOtherName(
  certificate: Certificate,
  name: string,
  wanted: readonly string[] | undefined,
): ProtocolHint {
  const has = nameOfCertificate(certificate);
  if (wanted !== undefined) {
    return {
      problem: `its certificate is for ${has}, and for none of tls.subjectAltNames (${wanted.join(', ')})`,
      hint: 'is it the right server? If so, put one of these names into tls.subjectAltNames',
    };
  }
  const isSpiffe = certificate.names.some((one) => one.startsWith('spiffe://'));
  return {
    problem: `its certificate is for ${has}, and not for ${name}`,
    hint: isSpiffe
      ? 'is it the right server? If so, put its SPIFFE id into tls.subjectAltNames'
      : 'is it the right server? If so, put one of these names into tls.serverName, or dial it by that name',
  };
}

/** What a server says of a handshake that it does not like (RFC 8446, 6.2), where that is about our certificate. */
const certificateAlerts: Readonly<Record<string, string>> = {
  'bad certificate': 'it can not be verified there',
  'unsupported certificate': 'it is of a kind that is not taken there',
  'certificate revoked': 'it was revoked',
  'certificate expired': 'it has ended, or not begun, by the clock there',
  'certificate unknown': 'it can not be verified there',
  'unknown ca': 'its CA is not known there',
  'access denied': 'it may not come in there',
  'decrypt error': 'its signature is wrong',
};

/** Why TLS could not be begun, or was ended by the server, by an error of the socket. */
export function explainTlsError(error: NodeJS.ErrnoException, ours: OurSide): ProtocolHint {
  const { code = '', message } = error;
  const alert = alertIn(message) ?? alertIn(code.replaceAll('_', ' '));
  const noneGiven = {
    problem: 'it wants a certificate of us, and we have none',
    hint: 'set tls.cert and tls.key, with a certificate that is let in there',
  };
  if (alert === 'certificate required')
    return ours.certificate === undefined ? noneGiven : refused(ours, 'it was not taken');
  const why = alert === undefined ? undefined : certificateAlerts[alert];
  // Servers of TLS 1.2 say so where there is none at all, too.
  if (why !== undefined) return ours.certificate === undefined ? noneGiven : refused(ours, why, alert);
  const known = alert === undefined ? undefined : otherAlert(alert, ours);
  if (known !== undefined) return known;
  if (alert !== undefined) return { problem: `it ended TLS: ${alert}`, hint: 'see the log of the server' };
  // What fails while something is written has the code EPROTO, whatever it is.
  const text = `${code} ${message.replaceAll(' ', '_').toUpperCase()}`;
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST|BAD_RECORD_TYPE|UNEXPECTED_MESSAGE/.test(text)) {
    return {
      problem: 'it does not speak TLS',
      hint: 'take tls out of this source, and write mcp:// in place of mcps://; or give the port on which it speaks TLS',
    };
  }
  if (/UNSUPPORTED_PROTOCOL/.test(text)) {
    return { problem: 'it speaks no TLS 1.2 or newer', hint: 'upgrade the server; older TLS is not safe' };
  }
  if (code === 'ECONNRESET' || code === 'EPIPE') return hungUp(ours);
  return { problem: `TLS failed: ${code === '' ? message.slice(0, 200) : code}`, hint: 'see the log of the server' };
}

/** What a server says of a handshake that it does not like, where that is about something else. */
function otherAlert(alert: string, ours: OurSide): ProtocolHint | undefined {
  switch (alert) {
    case 'protocol version':
      return { problem: 'it speaks no TLS 1.2 or newer', hint: 'upgrade the server; older TLS is not safe' };
    case 'handshake failure':
      return {
        problem: 'it ended the TLS handshake: it shares no way of encryption with us, or wants a certificate of us',
        hint: ours.certificate === undefined ? 'set tls.cert and tls.key; else see its log' : 'see its log',
      };
    case 'no application protocol':
      return {
        problem: 'within TLS it speaks no HTTP/2, so it is no gRPC server',
        hint: 'give the port of the gRPC server',
      };
    case 'unrecognized name':
      return {
        problem: `it does not know the name ${ours.name}`,
        hint: 'set tls.serverName to a name that it serves',
      };
    default:
      return undefined;
  }
}

/** The server closed the connection in the midst of a handshake, or right behind it (`isThrough`). */
export function hungUp({ certificate }: OurSide, isThrough = false): ProtocolHint {
  const why =
    certificate === undefined
      ? 'it may want a certificate of us (tls.cert, tls.key)'
      : `it may not believe our certificate (${certificate})`;
  return isThrough
    ? { problem: 'it closed the connection right behind the TLS handshake', hint: `${why}: see its log` }
    : {
        problem: 'it closed the connection instead of a TLS handshake',
        hint: `it may speak plaintext there; or ${why}: see its log`,
      };
}

function refused({ certificate }: OurSide, why: string, alert?: string): ProtocolHint {
  return {
    problem: `it refuses our certificate (${certificate}): ${why}${alert === undefined ? '' : ` (${alert})`}`,
    hint: 'see that the server knows the CA of tls.cert, and that the clocks of both hosts are right',
  };
}

/** `unknown ca` in `…:tlsv1 alert unknown ca:…`. */
function alertIn(text: string): string | undefined {
  return /\balert ([a-z ]+?)(?: *:|$)/i.exec(text)?.[1]?.toLowerCase();
}
