import type { HttpBindings } from '@hono/node-server';
import { Hono } from 'hono';
import { readBody, readJson } from './read-body.ts';
import type { ReleaseHolds } from './views.ts';
import type { MayWrite } from './write-access.ts';

/** What is asked for; nothing = all. */
type Which = { readonly origin?: string; readonly kind?: string };

/** `POST /guard/release`: lets go what the guard holds. */
export function guardRoutes(release: ReleaseHolds, mayWrite: MayWrite): Hono<{ Bindings: HttpBindings }> {
  const app = new Hono<{ Bindings: HttpBindings }>();
  app.post('/guard/release', async (c) => {
    const refusal = await mayWrite(c.env.incoming);
    if (refusal !== undefined) return c.json({ error: refusal.error }, refusal.status);
    const text = await readBody(c.req.raw);
    const asked = text === undefined ? undefined : parse(text, c.req.query());
    if (asked === undefined) {
      const error = 'nothing but origin, and kind or collection, may be given: in the query, or as a JSON object';
      return c.json({ error }, 400);
    }
    const released = await release(asked);
    if (released === undefined) return c.json({ error: 'no such origin, kind or collection; see /debug/origins' }, 404);
    return c.json({ released });
  });
  return app;
}

/** Undefined where it is something else than that. */
function parse(text: string, query: Readonly<Record<string, string>>): Which | undefined {
  const body = text.trim() === '' ? {} : readJson(text);
  if (typeof body !== 'object' || body === null || Array.isArray(body)) return undefined;
  const { origin, kind, collection, ...others } = { ...body, ...query } as Readonly<Record<string, unknown>>;
  if (Object.keys(others).length > 0 || (kind !== undefined && collection !== undefined)) return undefined;
  const which = { origin, kind: kind ?? collection };
  if (!Object.values(which).every((value) => value === undefined || typeof value === 'string')) return undefined;
  return which as Which;
}
