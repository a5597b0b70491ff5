import type { HttpBindings } from '@hono/node-server';
import { type Context, Hono } from 'hono';
import { html } from 'hono/html';
import { toYaml } from '../../schema/object.ts';
import { changeFilter, changesHref } from '../changes.ts';
import { readBody } from '../read-body.ts';
import type { BridgeView, ReleaseHolds } from '../views.ts';
import { whyNoWrite } from '../write-access.ts';
import { layout } from './layout.ts';
import { conflictList, kindPage, pageRows, quarantineList, resourcePage, searchPage, sourcePage } from './lists.ts';
import { changePage, changeRows, changesList, changesPath } from './changes.ts';
import { live } from './live.ts';
import { overview } from './overview.ts';
import { type Html, section } from './parts.ts';
import { streamName, streamPage, streamsPage } from './streams.ts';
import { style } from './style.ts';

/** Matches of one search. */
const maxMatches = 100;

/** Longest text that is searched for; a name of a host has 253 characters at most. */
const maxQuery = 253;

/** Nothing is loaded from elsewhere, nothing else may show these pages, and no form leads away from them. */
const headers = {
  'content-security-policy':
    "default-src 'none'; style-src 'self'; script-src 'self'; connect-src 'self'; img-src data:; form-action 'self'; " +
    "base-uri 'none'; frame-ancestors 'none'",
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'same-origin',
  'cache-control': 'no-store',
} as const;

type Env = { Bindings: HttpBindings };

/** The status page: for people, without a script too. Only its button in the guard's table changes anything. */
export function uiRoutes(view: BridgeView, release: ReleaseHolds): Hono<Env> {
  const app = new Hono<Env>();
  const show = (
    c: Context<Env>,
    title: string,
    content: Html | readonly Html[],
    here = '',
    status: 200 | 403 | 404 = 200,
  ) => c.html(layout(title, here, view.version, content, c.req.query('q')), status, headers);
  const missing = (c: Context<Env>, what: string) =>
    show(c, 'Not here', section('missing', 'Not here', html`<p>${what}</p>`), '', 404);

  app.get('/', async (c) => {
    // Scripts that ask for the root are given the list of the JSON pages, as they always were.
    if (!(c.req.header('accept') ?? '').includes('text/html')) return c.redirect('/debug/');
    return show(c, 'Overview', await overview(view), '/');
  });
  app.get('/ui', (c) => c.redirect('/'));
  app.get('/ui/style.css', (c) => c.body(style, 200, { ...headers, 'content-type': 'text/css; charset=utf-8' }));
  app.get('/ui/live.js', (c) => c.body(live, 200, { ...headers, 'content-type': 'text/javascript; charset=utf-8' }));

  app.get('/ui/sources/:name', (c) => {
    const name = c.req.param('name');
    const origin = view.origins().find((one) => one.name === name);
    return origin === undefined
      ? missing(c, `There is no source ${name}.`)
      : show(c, `Source ${name}`, sourcePage(origin));
  });
  app.get('/ui/kinds/:kind', (c) => {
    const kind = c.req.param('kind');
    const page = view.resources(kind, c.req.query('after') ?? '', pageRows);
    if (page === undefined) return missing(c, `${kind} is no kind that a source may hold, or it is not complete yet.`);
    const total = view.snapshots().find((one) => one.kind === kind)?.resources ?? page.rows.length;
    const last = page.rows.at(-1);
    const next = page.more && last !== undefined ? `${c.req.path}?after=${encodeURIComponent(last.key)}` : undefined;
    return show(c, kind, kindPage(kind, page.rows, next, total));
  });
  app.get('/ui/kinds/:kind/:name{.+}', (c) => {
    const { kind, name } = c.req.param();
    const object = view.resource(kind, name);
    const { sources, quarantined } = view.known(kind, name);
    if (object === undefined && sources.length === 0 && quarantined.length === 0)
      return missing(c, `Nothing of the name ${name} is known of ${kind}.`);
    const sent = object === undefined ? undefined : toYaml([object]);
    return show(c, `${kind} ${name}`, resourcePage({ sent, sources, quarantined }));
  });
  app.get('/ui/quarantine', (c) => {
    const page = view.quarantine(c.req.query('after') ?? '', pageRows);
    const next = page.last === undefined ? undefined : `${c.req.path}?after=${encodeURIComponent(page.last)}`;
    return show(c, 'Quarantine', quarantineList(page, view.quarantineCounts(), next), '/ui/quarantine');
  });
  app.get('/ui/conflicts', (c) => {
    const page = view.conflicts(Number(c.req.query('after')) || 0, pageRows);
    const next = page.last === undefined ? undefined : `${c.req.path}?after=${page.last}`;
    return show(c, 'Conflicts', conflictList(page, next), '/ui/conflicts');
  });
  app.get('/ui/streams', async (c) => {
    await view.refresh();
    return show(c, 'istiods', streamsPage(view.streams(), view.sinks()), '/ui/streams');
  });
  app.get('/ui/streams/:id', async (c) => {
    await view.refresh();
    const id = Number(c.req.param('id'));
    const stream = view.streams().find((one) => one.id === id);
    if (stream === undefined) return missing(c, 'This stream is over: an istiod that comes back has another one.');
    return show(c, `istiod ${streamName(stream)}`, streamPage(stream, view.pushes(id) ?? []));
  });
  app.get('/changes', (c) => c.redirect(changesPath));
  app.get(changesPath, (c) => {
    const filter = changeFilter((name) => c.req.query(name));
    const page = view.changes(filter, changeRows, Number(c.req.query('after')) || undefined);
    const next = page.last === undefined ? undefined : changesHref(changesPath, filter, { after: page.last });
    const choices = {
      sources: view.origins().map(({ name }) => name),
      kinds: view.snapshots().map(({ kind }) => kind),
    };
    return show(c, 'Recent changes', changesList(page, filter, choices, next), changesPath);
  });
  app.get(`${changesPath}/:id`, async (c) => {
    const change = await view.change(Number(c.req.param('id')));
    if (change === undefined) return missing(c, 'There is no such change, or it is not kept any more.');
    return show(c, `Change of ${change.resource ?? change.kind}`, changePage(change));
  });
  app.get('/ui/search', async (c) => {
    const text = (c.req.query('q') ?? '').trim().slice(0, maxQuery);
    if (text === '') return c.redirect('/');
    return show(c, 'Search', searchPage(text, await view.search(text, maxMatches)));
  });

  app.post('/ui/guard/release', async (c) => {
    const refusal = whyNoWrite(c.env.incoming);
    const refused = (why: string) => show(c, 'Refused', section('refused', 'Refused', html`<p>${why}.</p>`), '', 403);
    if (refusal !== undefined) return refused(refusal);
    const form = new URLSearchParams((await readBody(c.req.raw)) ?? '');
    const [origin, kind] = [form.get('origin'), form.get('kind')];
    if (origin === null || kind === null) return refused('Source and kind have to be given');
    const released = await release({ origin, kind });
    return released === undefined ? missing(c, `${origin} holds no ${kind}.`) : c.redirect('/', 303);
  });
  return app;
}
