import type { KubeConfig } from '@kubernetes/client-node';
import { type OutgoingHttpHeaders, request as requestHttp } from 'node:http';
import { request as requestHttps, type RequestOptions } from 'node:https';

/** A request to the API server. */
export type KubeRequest = {
  readonly method: 'GET' | 'PATCH' | 'PUT' | 'POST';
  /** From the server's own root, with its query. */
  readonly path: string;
  readonly body?: { readonly type: string; readonly text: string };
  /** Longest time to the end of the answer. */
  readonly timeoutMs: number;
};

/** A whole answer, whatever its status. */
export type KubeAnswer = {
  readonly status: number;
  readonly contentType: string;
  /** Of the header Retry-After; undefined where there is none. */
  readonly retryAfterMs: number | undefined;
  readonly body: Buffer;
};

/** Largest answer that is taken; a page of a list has 500 objects of 1.5 MB at most, and is far smaller. */
const maxAnswerBytes = 64 * 1024 * 1024;

class TransportError extends Error {
  readonly code: string;

  constructor(code: string, cause?: unknown) {
    super(code, { cause });
    this.code = code;
  }
}

/**
 * Sends one request with the credentials of the current context.
 * @throws what Node says of the connection; an error with the code TIMED_OUT, TOO_LARGE or NO_CREDENTIALS. An answer that ends early is ECONNRESET.
 */
export async function send(config: KubeConfig, { method, path, body, timeoutMs }: KubeRequest): Promise<KubeAnswer> {
  const server = config.getCurrentCluster()?.server ?? '';
  const url = new URL(`${server}${path}`);
  const headers: OutgoingHttpHeaders = { accept: 'application/json' };
  if (body !== undefined) {
    headers['content-type'] = body.type;
    headers['content-length'] = Buffer.byteLength(body.text);
  }
  const options: RequestOptions = { method, headers };
  try {
    await config.applyToHTTPSOptions(options);
  } catch (error) {
    throw new TransportError('NO_CREDENTIALS', error);
  }
  const request = url.protocol === 'http:' ? requestHttp : requestHttps;
  return await new Promise((settle, fail) => {
    const call = request(url, options, (response) => {
      const parts: Buffer[] = [];
      let bytes = 0;
      response.on('data', (part: Buffer) => {
        bytes += part.length;
        if (bytes > maxAnswerBytes) call.destroy(new TransportError('TOO_LARGE'));
        else parts.push(part);
      });
      response.on('error', fail);
      response.on('end', () => {
        const { statusCode: status = 0, headers: received } = response;
        const contentType = received['content-type'] ?? '';
        settle({ status, contentType, retryAfterMs: secondsOf(received['retry-after']), body: Buffer.concat(parts) });
      });
    });
    const timer = setTimeout(() => call.destroy(new TransportError('TIMED_OUT')), timeoutMs);
    call.on('error', fail);
    call.on('close', () => clearTimeout(timer));
    call.end(body?.text);
  });
}

function secondsOf(header: string | undefined): number | undefined {
  const seconds = Number(header);
  return header !== undefined && Number.isFinite(seconds) && seconds >= 0 ? seconds * 1_000 : undefined;
}
