import type { output, RefinementCtx } from 'zod';
import { isNetwork } from '../net/network.ts';
import { z } from './zod.ts';

const file = (what: string) =>
  z.string({ error: 'the name of a PEM file is expected' }).min(1).optional().describe(what);

const name = z.string({ error: 'a name is expected' }).min(1);

type Pair = { readonly cert?: string | undefined; readonly key?: string | undefined };

/** A certificate is of no use without its key, nor the key without it. */
function checkPair({ cert, key }: Pair, context: RefinementCtx): void {
  if ((cert === undefined) === (key === undefined)) return;
  const [missing, given] = cert === undefined ? (['cert', 'key'] as const) : (['key', 'cert'] as const);
  context.addIssue({ code: 'custom', path: [given], message: `needs ${missing}, too: they belong together` });
}

/** How a server that Isthmus dials is spoken to over TLS. */
export const clientTls = z
  .strictObject({
    ca: file('CAs, one of which has to have signed the certificate of the server. Unset: those of Node.'),
    cert: file('Our certificate, with those that signed it behind it, for a server that wants one.'),
    key: file('Its key.'),
    serverName: name
      .optional()
      .describe(
        'What the certificate of the server has to be for, and what it is called (SNI). Unset: the host that is dialled.',
      ),
    subjectAltNames: z
      .array(name)
      .min(1)
      .optional()
      .describe(
        'In place of that name: URIs (SPIFFE ids), DNS names or addresses, one of which the certificate has to have.',
      ),
    insecureSkipVerify: z
      .boolean()
      .default(false)
      .describe('Whoever answers there is believed to be the server. For trials alone.'),
  })
  .superRefine((tls, context) => {
    checkPair(tls, context);
    for (const other of ['ca', 'subjectAltNames'] as const) {
      if (!tls.insecureSkipVerify || tls[other] === undefined) continue;
      context.addIssue({
        code: 'custom',
        path: ['insecureSkipVerify'],
        message: `makes ${other} useless: take one of them out`,
      });
    }
  });

/** TLS of which nothing is said. */
export const usualTls: output<typeof clientTls> = { insecureSkipVerify: false };

const identityAdvice =
  'write spiffe://cluster.local/ns/shop/sa/galley, spiffe://cluster.local/ns/shop/*, galley.shop or *.shop';

/** To the letter; or all below a URI; or one label more than a DNS name. */
const identityPattern = /^([^*]+|[^*]+:\/\/[^*]+\/\*|\*\.[^*/]+)$/;

const identity = name.regex(identityPattern, {
  error: ({ input }) => `"${String(input)}" can't be compared; ${identityAdvice}`,
});

/** How a listener speaks TLS. */
export const listenerTls = z
  .strictObject({
    cert: z
      .string({ error: 'the name of a PEM file is expected' })
      .min(1)
      .describe('Our certificate, with those that signed it behind it.'),
    key: z.string({ error: 'the name of a PEM file is expected' }).min(1).describe('Its key.'),
    clientCa: file('CAs, one of which has to have signed the certificate of each client. Unset: clients need none.'),
    allowedIdentities: z
      .array(identity)
      .min(1)
      .optional()
      .describe('URIs (SPIFFE ids) and DNS names of clients that may come in. Unset: all that clientCa lets in.'),
  })
  .superRefine(({ clientCa, allowedIdentities }, context) => {
    if (allowedIdentities === undefined || clientCa !== undefined) return;
    const message = 'needs clientCa, too: nobody shows a certificate that is not asked for';
    context.addIssue({ code: 'custom', path: ['allowedIdentities'], message });
  });

/** Whose connections a listener takes. */
export const allowedPeers = z
  .array(
    z.string({ error: 'an address or a range is expected; write for example 10.0.0.0/8' }).refine(isNetwork, {
      error: ({ input }) => `"${String(input)}" is no address and no range; write for example 10.0.0.7 or 10.0.0.0/8`,
    }),
  )
  .default([])
  .describe('Addresses, and ranges such as 10.0.0.0/8, from which connections are taken. Empty: all.');
