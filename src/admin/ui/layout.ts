import { html } from 'hono/html';
import { type Html, time } from './parts.ts';

/** The pages that all others have a link to. */
const pages = {
  '/': 'Overview',
  '/ui/changes': 'Changes',
  '/ui/streams': 'istiods',
  '/ui/quarantine': 'Quarantine',
  '/ui/conflicts': 'Conflicts',
  '/debug/': 'JSON',
} as const;

/** A whole page. @param here path of the page, or of the one that leads to it. @param query what was searched for. */
export function layout(
  title: string,
  here: string,
  version: string,
  content: Html | readonly Html[],
  query = '',
): Html {
  const links = Object.entries(pages).map(([path, name]) =>
    path === here
      ? html`<li><a href="${path}" aria-current="page">${name}</a></li>`
      : html`<li><a href="${path}">${name}</a></li>`,
  );
  return html`<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>${title} · Isthmus</title>
<meta name="viewport" content="width=device-width"><link rel="stylesheet" href="/ui/style.css">
<link rel="icon" href="data:,"><script src="/ui/live.js" defer></script></head>
<body><a class="skip" href="#main">Skip to content</a>
<header><strong>Isthmus</strong><nav aria-label="Pages"><ul>${links}</ul></nav>
<form action="/ui/search" role="search"><label for="q">Host or resource</label>
<input id="q" name="q" type="search" value="${query}" required maxlength="253"><button>Search</button></form></header>
<main id="main"><h1>${title}</h1>
${content}</main>
<footer>Isthmus ${version} · as of <span id="shown">${time(new Date().toISOString())}</span> UTC <span id="live" role="status"></span></footer>
</body></html>`;
}
