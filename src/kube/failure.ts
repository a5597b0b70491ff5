import { type ErrorCode, IsthmusError, messageOf } from '../model/errors.ts';
import { isRecord } from '../model/record.ts';

/** What kept the API of Kubernetes from doing something; a closed set, for callers that go on in another way. */
export type KubeFailure =
  /** 401. */
  | 'unauthorized'
  /** 403: of this user. */
  | 'forbidden'
  /** 404: there is no such object. */
  | 'notFound'
  /** 404: there is no such kind, as where a CRD is not installed. */
  | 'noSuchKind'
  /** 409: somebody else wrote it in the meantime, or it is there already. */
  | 'conflict'
  /** 400, 422 and the like: the API does not take what it was sent. */
  | 'invalid'
  /** 410: the rest of a list is not to be had any more. */
  | 'gone'
  /** 429. */
  | 'busy'
  /** 5xx: what went wrong is in the API server, and whether something was written is not known. */
  | 'server'
  /** No whole answer; whether something was written is not known. */
  | 'unreachable'
  | 'tls'
  /** Something else than the API of Kubernetes answers, such as a page of a proxy. */
  | 'foreign';

const codes: Readonly<Record<KubeFailure, ErrorCode>> = {
  unauthorized: 'ACCESS_DENIED',
  forbidden: 'ACCESS_DENIED',
  notFound: 'NOT_FOUND',
  noSuchKind: 'NOT_FOUND',
  conflict: 'CONFLICT',
  invalid: 'API_FAILED',
  gone: 'API_FAILED',
  busy: 'API_FAILED',
  server: 'API_FAILED',
  unreachable: 'UNREACHABLE',
  tls: 'TLS_FAILED',
  foreign: 'WRONG_PROTOCOL',
};

/** What the API of Kubernetes did not do, and why. Has no credentials in it. */
export class KubeError extends IsthmusError {
  readonly failure: KubeFailure;
  /** The message without the subject before it. */
  readonly said: string;
  declare readonly hint: string;

  constructor(failure: KubeFailure, subject: string, message: string, options: { hint: string; cause?: unknown }) {
    super(codes[failure], subject, message, options);
    this.failure = failure;
    this.said = message;
  }

  /** The same failure, said of something else. */
  about(subject: string, message: string, hint: string): KubeError {
    return new KubeError(this.failure, subject, message, { hint, cause: this });
  }

  /** The API may have done what it was asked for, all the same. */
  get isUnsure(): boolean {
    return this.failure === 'server' || this.failure === 'unreachable' || this.failure === 'foreign';
  }
}

/** What was asked of the API. */
export type Asked = {
  /** What RBAC calls it. */
  readonly verb: 'get' | 'list' | 'patch' | 'update' | 'create';
  readonly group: string;
  /** Such as `configmaps`, `pods/proxy`; empty for what is no resource. */
  readonly resource: string;
  readonly namespace: string | undefined;
  /** Undefined for a list. */
  readonly name: string | undefined;
  /** What it is about, for messages: `configmaps istio-system/istio`. */
  readonly what: string;
  /** The context of the kubeconfig. */
  readonly context: string;
  /** Address of the API server. */
  readonly server: string;
};

/** Longest part of a text from elsewhere in a message. */
const maxText = 300;

/** An answer that is no success. @param body as it came. */
export function failureOf(asked: Asked, status: number, body: string): KubeError {
  const { context, server, what } = asked;
  const said = statusOf(body);
  const proxyHint =
    `is ${server} the address of the API server? kubectl cluster-info says it; a proxy or a login page may answer ` +
    'in its place';
  if (said === undefined) return withoutStatus(asked, status, proxyHint);
  const text = said.message === '' ? `status ${status}` : said.message;
  switch (status) {
    case 401:
      return new KubeError('unauthorized', `context ${context}`, `${server} does not take its credentials (401)`, {
        hint: 'log in again, or renew the token or certificate of this context; see that kubectl get ns works with it',
      });
    case 403:
      return new KubeError('forbidden', what, text, { hint: rightHint(asked, [asked.resource]) });
    case 404:
      return notFound(asked, said);
    case 409:
      return new KubeError('conflict', what, text, { hint: 'look at what it is now, then try again' });
    case 410:
      return new KubeError('gone', what, text, { hint: 'try again' });
    case 429:
      return new KubeError('busy', what, `the API server is busy: ${text}`, { hint: 'try again later' });
    default:
      if (status >= 500) {
        return new KubeError('server', what, `the API server failed (${status}): ${text}`, {
          hint: 'see that the API server and its admission webhooks are well, then look at what became of it',
        });
      }
      return new KubeError('invalid', what, `the API server does not take it (${status}): ${text}`, {
        hint: 'the message is that of the API server or of an admission webhook: mend what it names',
      });
  }
}

type Status = { readonly message: string; readonly reason: string; readonly name: string };

/** The `Status` that the API answers with; undefined where something else did. */
function statusOf(body: string): Status | undefined {
  try {
    const value: unknown = JSON.parse(body);
    if (!isRecord(value) || value['kind'] !== 'Status') return undefined;
    const details = isRecord(value['details']) ? value['details'] : {};
    return {
      message: shortText(value['message']),
      reason: shortText(value['reason']),
      name: shortText(details['name']),
    };
  } catch {
    return undefined;
  }
}

/** API servers say 404, 429 and 5xx without a `Status` too, in one line of plain text. */
function withoutStatus(asked: Asked, status: number, proxyHint: string): KubeError {
  const { what, server } = asked;
  if (status === 404 && asked.name === undefined) return noSuchKind(asked);
  if (status === 429) {
    return new KubeError('busy', what, 'the API server is busy (429)', { hint: 'try again later' });
  }
  if (status === 502 || status === 503 || status === 504) {
    return new KubeError(
      'server',
      what,
      `what is in front of the API server at ${server} does not reach it (${status})`,
      {
        hint: 'try again when the API server is back; kubectl get --raw /readyz says how it is',
      },
    );
  }
  const how = status >= 300 && status < 400 ? 'with a redirect' : `with status ${status}`;
  return new KubeError('foreign', what, `at ${server} something answers ${how} that is no API server of Kubernetes`, {
    hint: proxyHint,
  });
}

function notFound(asked: Asked, { message, name, reason }: Status): KubeError {
  const { what, context, namespace } = asked;
  // For a kind that there is not, it names no object.
  if (asked.name === undefined || (name === '' && reason === 'NotFound')) return noSuchKind(asked);
  const where = namespace === undefined ? '' : ` in namespace ${namespace}`;
  return new KubeError('notFound', what, `there is none${where} of context ${context} (${message})`, {
    hint: `is it the right cluster and namespace? kubectl${namespace === undefined ? '' : ` -n ${namespace}`} get ${asked.resource} says what is there`,
  });
}

function noSuchKind({ what, server, resource }: Asked): KubeError {
  return new KubeError('noSuchKind', what, `the API server at ${server} has no such kind`, {
    hint: `kubectl api-resources says which it has; ${resource} may belong to a CRD that is not installed`,
  });
}

/** What to do about a right that is missing: the rule of RBAC, as YAML on one line. */
export function rightHint(
  { verb, group, namespace, name }: Pick<Asked, 'verb' | 'group' | 'namespace' | 'name'>,
  resources: readonly string[],
): string {
  const role = namespace === undefined ? 'a ClusterRole' : `a Role in ${namespace}`;
  const names = name === undefined ? '' : `, resourceNames: ["${name}"]`;
  const rule = `{apiGroups: ["${group}"], resources: ${JSON.stringify(resources)}${names}, verbs: ["${verb}"]}`;
  return `the right is missing; add this to the rules of ${role} that this user is bound to: ${rule}`;
}

/** What was thrown in place of an answer. */
export function transportFailure(
  { server, context }: Pick<Asked, 'server' | 'context'>,
  error: unknown,
  timeoutMs: number,
): KubeError {
  const code = codeOf(error);
  const options = { cause: error };
  const subject = `context ${context}`;
  if (code === 'NO_CREDENTIALS') return noCredentials(subject, (error as Error).cause);
  if (code === 'TIMED_OUT') {
    return new KubeError('unreachable', subject, `${server} gave no whole answer within ${timeoutMs / 1_000} s`, {
      ...options,
      hint: 'see that the cluster is well and the network lets you through; kubectl get --raw /readyz says',
    });
  }
  const tls = tlsProblem(code, messageOf(error));
  if (tls !== undefined)
    return new KubeError('tls', subject, `${server}: ${tls.problem}`, { ...options, hint: tls.hint });
  const { problem, hint } = networkProblem(code);
  return new KubeError('unreachable', subject, `${server} ${problem}`, { ...options, hint });
}

/** What makes the credentials, such as a plugin, failed. What a plugin printed to its output is never shown. */
function noCredentials(subject: string, error: unknown): KubeError {
  const text = error instanceof SyntaxError ? 'its credential plugin printed no JSON' : shortText(messageOf(error));
  const isPlaintext = text.startsWith('HTTP protocol is not allowed');
  const message = isPlaintext
    ? 'its server is an http:// address'
    : `no credentials: ${text === '' ? 'its credential plugin failed' : text}`;
  return new KubeError('unauthorized', subject, message, {
    hint: isPlaintext
      ? 'write https://; or, where plaintext is meant (kubectl proxy), insecure-skip-tls-verify: true beside it'
      : 'log in again; see that kubectl get ns works with this context',
  });
}

function codeOf(error: unknown): string {
  const { code } = isRecord(error) || error instanceof Error ? (error as { code?: unknown }) : {};
  return typeof code === 'string' ? code : '';
}

type Problem = { readonly problem: string; readonly hint: string };

function networkProblem(code: string): Problem {
  switch (code) {
    case 'ECONNREFUSED':
      return { problem: 'refuses the connection', hint: 'does the API server run there? Is it the right context?' };
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return { problem: 'has a host name that does not resolve', hint: 'is it the right context? Is a VPN needed?' };
    case 'ECONNRESET':
    case 'EPIPE':
      return {
        problem: 'closed the connection before its answer was whole',
        hint: 'try again; where it stays, see what is between here and the API server',
      };
    case 'ETIMEDOUT':
    case 'EHOSTUNREACH':
    case 'ENETUNREACH':
      return { problem: 'can’t be reached', hint: 'is it the right context? Is a VPN or a proxy-url needed?' };
    case 'TOO_LARGE':
      return { problem: 'sent an answer of more than 64 MiB', hint: 'is it the API server?' };
    default:
      return { problem: `can’t be asked (${code === '' ? 'unknown reason' : code})`, hint: 'does kubectl reach it?' };
  }
}

/** OpenSSL's names of what is wrong with a certificate, or with TLS. */
function tlsProblem(code: string, message: string): Problem | undefined {
  const caHint = 'give its CA in the kubeconfig (certificate-authority-data); is it the right context?';
  switch (code) {
    case 'DEPTH_ZERO_SELF_SIGNED_CERT':
    case 'SELF_SIGNED_CERT_IN_CHAIN':
    case 'UNABLE_TO_GET_ISSUER_CERT':
    case 'UNABLE_TO_GET_ISSUER_CERT_LOCALLY':
    case 'UNABLE_TO_VERIFY_LEAF_SIGNATURE':
    case 'CERT_SIGNATURE_FAILURE':
      return { problem: `its certificate is not signed by the CA of this context (${code})`, hint: caHint };
    case 'CERT_HAS_EXPIRED':
    case 'CERT_NOT_YET_VALID':
      return { problem: `its certificate is not valid now (${code})`, hint: 'renew it, or set the clock of this host' };
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
      return {
        problem: 'its certificate is for another name',
        hint: 'dial it by a name of its certificate, or set tls-server-name in the kubeconfig',
      };
    default:
  }
  if (
    /WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|wrong version number|packet length too long/.test(`${code} ${message}`)
  ) {
    return {
      problem: 'it does not speak TLS',
      hint: 'is it the port of the API server? Write http:// if it is a proxy',
    };
  }
  const alert = /\balert ([a-z ]+?)(?: *:|$)/i.exec(message)?.[1];
  if (alert !== undefined) {
    return { problem: `it ended TLS: ${alert}`, hint: 'renew the client certificate of this context; log in again' };
  }
  return /^ERR_(SSL|TLS|OSSL)|^CERT_/.test(code)
    ? { problem: `TLS failed (${code})`, hint: 'see the certificates and keys in the kubeconfig' }
    : undefined;
}

function shortText(value: unknown): string {
  const text =
    typeof value === 'string'
      ? value
          .replaceAll(/\s+/g, ' ')
          .replaceAll(/\p{Cc}/gu, '')
          .trim()
      : '';
  return text.length > maxText ? `${text.slice(0, maxText)}…` : text;
}
