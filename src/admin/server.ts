import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import { Hono } from 'hono';
import { html } from 'hono/html';
import { IsthmusError, messageOf } from '../model/errors.ts';
import type { Logger } from '../model/logger.ts';
import { formatHostPort, type HostPort } from '../net/address.ts';
import { changeFilter, changesHref } from './changes.ts';
import type { LogLevels } from '../model/log-levels.ts';
import { guardRoutes } from './guard-routes.ts';
import { logRoutes } from './log-routes.ts';
import { uiRoutes } from './ui/routes.ts';
import { profileRoutes } from './profile-routes.ts';
import type { BridgeView, ReleaseHolds } from './views.ts';
import type { MayWrite } from './write-access.ts';

/** Rows of one page of a list; longer lists are read page by page, so that no answer blocks the pushes. */
const maxRows = 5000;

/** Of the quarantine, where each says at length what is wrong with it. */
const maxQuarantineRows = 2000;

/** Requests that are allowed to take this long; bounds what a slow peer can hold. */
const requestTimeoutMs = 30_000;

/** Health and metrics: what a probe or a scrape from outside may see. */
export function healthRoutes(view: BridgeView): Hono {
  const app = new Hono();
  app.get('/healthz', (c) => c.text('ok\n'));
  app.get('/readyz', (c) => (view.ready() ? c.text('ok\n') : c.text('not listening yet\n', 503)));
  app.get('/syncz', (c) => {
    const snapshots = view.snapshots();
    const waiting = snapshots.filter(({ complete }) => !complete);
    const stale = snapshots.filter((one) => one.stale.length > 0);
    const body = {
      complete: waiting.length === 0,
      waiting: waiting.map(({ kind, waitingFor }) => ({ kind, sources: waitingFor })),
      stale: stale.map((one) => ({ kind: one.kind, sources: one.stale })),
      overdue: snapshots
        .filter((one) => one.overdue.length > 0)
        .map((one) => ({ kind: one.kind, sources: one.overdue })),
      // Everything is there that was: complete all the same.
      held: view.holds().map(({ origin, kind, removals, until }) => ({ source: origin, kind, removals, until })),
    };
    return c.json(body, body.complete ? 200 : 503);
  });
  app.get('/metrics', async (c) => {
    const { text, contentType } = await view.metrics();
    return c.body(text, 200, { 'content-type': contentType });
  });
  return app;
}

/** What each debug route shows; `/debug/` lists them. */
const debugRoutes: Readonly<Record<string, string>> = {
  '/debug/origins': 'every source: its connection, and by kind what was received, released, and is effective',
  '/debug/snapshot':
    'what istiod is given, by kind: version, number of resources, bytes, labels istio.io/rev, and who is waited for',
  '/debug/snapshot/{kind}': 'the resources of one kind, for example ServiceEntry; ?after=KEY&limit=N for the next page',
  '/debug/snapshot/{kind}/{namespace}/{name}': 'one resource, as a Kubernetes object',
  '/debug/search?q={text}':
    'resources that hold a text, such as a host, in their name or body, and which of them are sent',
  '/debug/streams':
    'every connected istiod: what it asked for, was sent and acknowledged, how near that is to what it can receive, and ' +
    'what it drops because of the label istio.io/rev',
  '/debug/streams/{id}/pushes':
    'the last responses to one istiod: when, of what, how large, why, and its answer with the time that it took',
  '/debug/changes':
    'what has changed lately in what istiod is given, the newest first: ?source=, ?kind=, ?name= (a part of it); ' +
    '?after=N&limit=N for the next page',
  '/debug/changes/{id}': 'one of them: the resource before and after, as Kubernetes objects, and their difference',
  '/debug/sinks':
    'every connected legacy MCP sink (old Pilot): what it asked for, was sent and answered, and which of it the bridge does ' +
    'not carry',
  '/debug/quarantine':
    'resources that are not sent as received, with the reason and since when; ?after=SOURCE/KIND/NAME&limit=N for the next page',
  '/debug/conflicts':
    'resources that several sources hold, and hosts that several name: what is done; ?after=N&limit=N for the next page',
  '/debug/state': 'the last-known-good files: when they were saved, and what is wrong with them',
  '/debug/guard': 'removals that are held: how many, of how many, why, since when, and when the source is asked again',
  '/debug/config': 'the configuration in force, with its defaults, and what came of reading it again',
  '/debug/log': 'the newest lines of the log, one JSON object a line; ?limit=N for fewer',
  '/debug/log-level': 'what is logged: the level, and those of components; PUT {"component", "level"} changes it',
  '/debug/cpu{?seconds}': 'a CPU profile of so many seconds (10) as .cpuprofile, for this host alone',
  '/debug/heap':
    'a snapshot of the heap as .heapsnapshot, which stops the process for seconds, and holds keys and bodies; for this host alone',
};

/** What can be changed over the admin pages, and by whom. */
export type AdminWrites = {
  readonly release: ReleaseHolds;
  readonly logLevels: LogLevels;
  readonly mayWrite: MayWrite;
  readonly log: Logger;
};

/** Everything; for loopback. */
export function adminRoutes(view: BridgeView, { release, logLevels, mayWrite, log }: AdminWrites): Hono {
  const app = healthRoutes(view);
  app.route('/', guardRoutes(release, mayWrite));
  app.route('/', logRoutes(logLevels, mayWrite, log));
  app.route('/', profileRoutes(log));
  app.route('/', uiRoutes(view, release));
  app.get('/debug', (c) => c.redirect('/debug/'));
  app.get('/debug/', (c) => {
    const others = {
      '/healthz': 'the process runs',
      '/readyz': 'it listens',
      '/syncz': 'everything is complete',
      '/metrics': 'for Prometheus',
      '/': 'the status page, for people',
      '/guard/release{?origin,kind}': 'POST lets go what is held, of all or of one',
    };
    if (!(c.req.header('accept') ?? '').includes('text/html'))
      return c.json({ version: view.version, routes: { ...debugRoutes, ...others } });
    return c.html(indexPage(view.version, { ...debugRoutes, ...others }));
  });
  app.get('/debug/origins', (c) => c.json(view.origins()));
  app.get('/debug/snapshot', async (c) => {
    await view.refresh();
    return c.json(view.snapshots());
  });
  app.get('/debug/snapshot/:kind', (c) => {
    const limit = limitOf(c.req.query('limit'));
    const page = view.resources(c.req.param('kind'), c.req.query('after') ?? '', limit);
    if (page === undefined)
      return c.json({ error: 'no such kind, or it is not complete yet; see /debug/snapshot' }, 404);
    const last = page.rows.at(-1);
    const next =
      page.more && last !== undefined ? `${c.req.path}?limit=${limit}&after=${encodeURIComponent(last.key)}` : null;
    return c.json({ resources: page.rows, next });
  });
  app.get('/debug/snapshot/:kind/:namespace/:name', (c) => {
    const { kind, namespace, name } = c.req.param();
    const resource = view.resource(kind, `${namespace}/${name}`);
    return resource === undefined ? c.json({ error: 'no such resource' }, 404) : c.json(resource);
  });
  app.get('/debug/search', async (c) => {
    const text = c.req.query('q') ?? '';
    if (text === '') return c.json({ error: 'what to search for is missing: /debug/search?q=HOST' }, 400);
    const { matches, more } = await view.search(text, limitOf(c.req.query('limit')));
    return c.json({ resources: matches, more });
  });
  app.get('/debug/streams', async (c) => {
    await view.refresh();
    return c.json(view.streams());
  });
  app.get('/debug/streams/:id/pushes', (c) => {
    const pushes = view.pushes(Number(c.req.param('id')));
    return pushes === undefined ? c.json({ error: 'no such stream; see /debug/streams' }, 404) : c.json(pushes);
  });
  app.get('/debug/changes', (c) => {
    const limit = limitOf(c.req.query('limit'));
    const filter = changeFilter((name) => c.req.query(name));
    const { rows, last } = view.changes(filter, limit, Number(c.req.query('after')) || undefined);
    const next = last === undefined ? null : changesHref(c.req.path, filter, { limit, after: last });
    return c.json({ changes: rows, next });
  });
  app.get('/debug/changes/:id', async (c) => {
    const change = await view.change(Number(c.req.param('id')));
    return change === undefined
      ? c.json({ error: 'no such change, or it is not kept any more; see /debug/changes' }, 404)
      : c.json(change);
  });
  app.get('/debug/sinks', (c) => c.json(view.sinks()));
  app.get('/debug/quarantine', (c) => {
    const limit = Math.min(limitOf(c.req.query('limit')), maxQuarantineRows);
    const { rows, last } = view.quarantine(c.req.query('after') ?? '', limit);
    const next = last === undefined ? null : `${c.req.path}?limit=${limit}&after=${encodeURIComponent(last)}`;
    return c.json({ resources: rows, next });
  });
  app.get('/debug/conflicts', (c) => {
    const limit = limitOf(c.req.query('limit'));
    const { last, ...page } = view.conflicts(Number(c.req.query('after')) || 0, limit);
    const next = last === undefined ? null : `${c.req.path}?limit=${limit}&after=${last}`;
    return c.json({ ...page, next });
  });
  app.get('/debug/state', (c) => c.json(view.state()));
  app.get('/debug/guard', (c) => c.json(view.holds()));
  app.get('/debug/config', (c) => c.json(view.config()));
  app.get('/debug/log', (c) => {
    const text = view.log(limitOf(c.req.query('limit'))).join('');
    return c.body(text, 200, { 'content-type': 'application/x-ndjson; charset=utf-8' });
  });
  return app;
}

/** Rows of one page, as asked for. */
function limitOf(asked: string | undefined): number {
  return Math.min(Math.max(1, Math.floor(Number(asked)) || 1000), maxRows);
}

/** A running HTTP listener. */
export type HttpListener = { readonly port: number; close(): Promise<void> };

/**
 * Serves `app`.
 * @param flag what sets the address, for the error.
 * @throws IsthmusError LISTEN_FAILED
 */
export function listenHttp(app: Hono, address: HostPort, flag: string, log: Logger): Promise<HttpListener> {
  app.onError((error, c) => {
    log.error({ path: c.req.path, err: error }, 'an admin request failed');
    return c.json({ error: 'internal error; see the log' }, 500);
  });
  const readOnly = { error: 'these pages are read with GET' };
  app.on(['POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS'], '*', (c) => c.json(readOnly, 405, { allow: 'GET, HEAD' }));
  app.notFound((c) => c.json({ error: 'no such page; see /debug/' }, 404));
  const answer = getRequestListener(app.fetch);
  const server = createServer(
    { requestTimeout: requestTimeoutMs },
    (request, response) => void answer(request, response),
  );
  return new Promise((resolve, reject) => {
    server.once('error', (error) => {
      const inUse = (error as NodeJS.ErrnoException).code === 'EADDRINUSE';
      const what = inUse ? 'the port is in use' : messageOf(error);
      const hint = inUse ? { hint: `end the other process, or choose another port with ${flag}` } : {};
      reject(
        new IsthmusError('LISTEN_FAILED', formatHostPort(address), `cannot listen: ${what}`, { ...hint, cause: error }),
      );
    });
    server.listen(address.port, address.host, () => {
      server.removeAllListeners('error');
      server.on('error', (error) => log.warn({ err: error }, 'admin listener'));
      resolve({ port: (server.address() as AddressInfo).port, close: () => close(server) });
    });
  });
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

function indexPage(version: string, routes: Readonly<Record<string, string>>) {
  const rows = Object.entries(routes).map(([path, what]) => {
    const label = html`<code>${path}</code>`;
    // Nobody is to stop the process by a click.
    const link = path.includes('{') || path === '/debug/heap' ? label : html`<a href="${path}">${label}</a>`;
    return html`<tr><td>${link}</td><td>${what}</td></tr>\n`;
  });
  return html`<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Isthmus</title>
<meta name="viewport" content="width=device-width"><style>
body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:60rem;padding:0 1rem}
td{padding:.3rem 1rem .3rem 0;vertical-align:top;overflow-wrap:anywhere}td:first-child{min-width:11rem}
@media (max-width:40rem){td{display:block;padding:0}td+td{padding-bottom:.8rem}}</style></head>
<body><h1>Isthmus ${version}</h1><table>${rows}</table></body></html>`;
}
