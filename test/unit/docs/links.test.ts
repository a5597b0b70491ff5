import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { describe, expect, test } from 'vitest';

const root = join(import.meta.dirname, '../../..');

const pages = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...['docs', 'bench', 'grafana', 'test'].flatMap((folder) =>
    readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.md'))
      .map((name) => join(folder, name)),
  ),
].toSorted();

/** What stands there for people, without code: neither blocks nor spans of it hold links. */
function proseOf(file: string): string {
  return readFileSync(file, 'utf8')
    .replaceAll(/^( *)```.*?^\1```$/gms, '')
    .replaceAll(/`[^`\n]*`/g, (span) => span.replaceAll(/[[\]()]/g, ''));
}

/** Targets of `[text](target)`. */
function linksOf(file: string): string[] {
  return Array.from(proseOf(file).matchAll(/\]\(([^()\s]+)\)/g), ([, target]) => target ?? '');
}

/** Anchors of the titles of a page, as GitHub makes them. */
function anchorsOf(file: string): Set<string> {
  const seen = new Map<string, number>();
  const titles = Array.from(proseOf(file).matchAll(/^#{1,6} +(.+?) *#*$/gm), ([, title]) => title ?? '');
  return new Set(
    titles.map((title) => {
      const text = title.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, '$1').toLowerCase();
      const anchor = text.replaceAll(/[^\p{L}\p{N}\p{M} _-]/gu, '').replaceAll(' ', '-');
      const before = seen.get(anchor) ?? 0;
      seen.set(anchor, before + 1);
      return before === 0 ? anchor : `${anchor}-${before}`;
    }),
  );
}

/** Why a link of a page leads nowhere; undefined where it does lead somewhere, or out of the project. */
function faultOf(page: string, link: string): string | undefined {
  if (/^[a-z]+:/.test(link)) return undefined;
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? join(root, page) : join(root, dirname(page), path);
  if (!existsSync(target)) return `there is no ${relative(root, target)}`;
  if (relative(root, target).startsWith('..')) return 'it leads out of the project';
  if (anchor === undefined) return undefined;
  if (statSync(target).isDirectory() || !target.endsWith('.md')) return 'an anchor, and no page';
  return anchorsOf(target).has(anchor) ? undefined : `${relative(root, target)} has no title of that anchor`;
}

describe('relative links', () => {
  test.each(pages)('%s: each leads to a file, and to a title of it', (page) => {
    const faults = linksOf(join(root, page)).flatMap((link) => {
      const fault = faultOf(page, link);
      return fault === undefined ? [] : [`${link}: ${fault}`];
    });
    expect(faults).toEqual([]);
  });

  test('are found at all, and a wrong one is one', () => {
    expect(linksOf(join(root, 'README.md'))).toContain('docs/profiles.md');
    expect(faultOf('docs/servers/your-own.md', '../profiles.md#repairs')).toBeUndefined();
    expect(faultOf('docs/servers/your-own.md', '../profiles.md#repair')).toMatch(/no title/);
    expect(faultOf('README.md', 'docs/none.md')).toBe('there is no docs/none.md');
  });
});
