// Links and anchors of all pages, and every page, anchor, section and decision that code, comments, help texts and the files of
// deployment name. Addresses of other sites are judged by their form alone: the tests ask nobody on the Internet.
import assert from 'node:assert/strict';
import { existsSync, statSync } from 'node:fs';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { anchorsOf } from '../support/markdown.ts';
import { filesOfProject, PAGES, parsePage, ROOT, read } from './pages.ts';

const CODE = filesOfProject('.ts', '.tsx', '.mjs', '.js', '.py', '.java', '.go', '.c', '.h', '.sh', '.css')
  .concat(
    filesOfProject('.yml', '.yaml', '.tpl', '.cfg', '.service', '.conf', '.example', '.html', 'NOTES.txt'),
  )
  .concat(filesOfProject('Dockerfile', '.env.lan', '.env.local', '.env.wan', '.ci/install', '.ci/run'))
  // It names pages that do not exist, to test this test.
  .filter((file) => !file.startsWith('test/docs/'));

const anchors = new Map<string, readonly string[]>();
function hasAnchor(page: string, anchor: string): boolean {
  const known = anchors.get(page) ?? anchorsOf(read(page));
  anchors.set(page, known);
  return known.includes(anchor);
}

/** @returns the fault of a link in words. @param from the file that has it */
function faultOfLink(link: string, from: string): string | undefined {
  if (/^(?:https?:)?\/\//.test(link)) return faultOfAddress(link);
  if (/^[a-z]+:/i.test(link)) return link.startsWith('mailto:') ? undefined : 'an unknown kind of address';
  const [path = '', anchor] = link.split('#');
  const target = path === '' ? from : normalize(join(dirname(from), decodeURI(path)));
  if (target.startsWith('..')) return 'leads out of the project';
  if (!existsSync(join(ROOT, target))) return `there is no ${target}`;
  if (anchor === undefined) return undefined;
  if (statSync(join(ROOT, target)).isDirectory() || !target.endsWith('.md'))
    return `${target} has no headings`;
  return hasAnchor(target, anchor) ? undefined : `${target} has no heading for #${anchor}`;
}

/** Sites that have no https. */
const PLAIN_HTTP = new Set(['www.dest-unreach.org']);

function faultOfAddress(address: string): string | undefined {
  if (!URL.canParse(address)) return 'is no address';
  const { protocol, hostname, pathname, username, hash } = new URL(address);
  if (protocol !== 'https:' && !PLAIN_HTTP.has(hostname)) return 'is not https';
  if (username !== '') return 'has a user in it';
  if (!/^(?:[a-z0-9-]+\.)+[a-z]{2,}$/.test(hostname)) return 'has no public host name';
  if (/[.,;:]$/.test(address) || /\/\//.test(pathname)) return 'has a slip at its end or in its path';
  if (hash === '#') return 'has an empty anchor';
  const [, ours] = /^\/OWNER\/sluice\/(?:blob|tree)\/main\/(.+)$/.exec(pathname) ?? [];
  if (hostname === 'github.com' && ours !== undefined) return faultOfLink(`${ours}${hash}`, 'README.md');
  return undefined;
}

/** Links and images of Markdown, and of the HTML in it. */
function linksOf(page: string): { link: string; line: number }[] {
  const { prose } = parsePage(read(page));
  return prose.flatMap((text, index) => {
    // Code has no links, although it may be the text of one.
    const line = text.replace(/`[^`]*`/g, (code) => ' '.repeat(code.length));
    const markdown = [...line.matchAll(/\]\(<?([^)\s>]+)>?(?: "[^"]*")?\)/g)];
    const html = [...line.matchAll(/(?:src|srcset|href)="([^"]+)"/g)];
    const plain = [...line.matchAll(/<(https?:[^>]+)>/g)];
    return [...markdown, ...html, ...plain].map(([, link = '']) => ({ link, line: index + 1 }));
  });
}

/** Addresses of examples, of services on the machine of the reader, and the name of a kind of XML. */
const OF_READER =
  /^(?:localhost|127\.|10\.|[A-Z]+\b|[\w.-]*\bexample\b|sluice\b|kafka\b|\$|\{|0\.0\.0\.0|\[|<|%|gateway\b|host:port|prometheus:|www\.w3\.org\/2000\/svg)/;

describe('pages', () => {
  it('have links that lead somewhere', () => {
    const faults = PAGES.flatMap((page) =>
      linksOf(page).flatMap(({ link, line }) => {
        const fault = faultOfLink(link, page);
        return fault === undefined ? [] : [`${page}:${line}: ${link}: ${fault}`];
      }),
    );
    assert.deepEqual(faults, []);
    assert.ok(PAGES.flatMap(linksOf).length > 500);
  });

  it('have no link without an address, and no address without its end', () => {
    const faults = PAGES.flatMap((page) =>
      parsePage(read(page)).prose.flatMap((line, index) =>
        /\]\(\s*\)|\]\([^)]*$/.test(line.replace(/`[^`]*`/g, '')) ? [`${page}:${index + 1}: ${line}`] : [],
      ),
    );
    assert.deepEqual(faults, []);
  });

  it('are reachable from README.md, but for those of an issue or a pull request', () => {
    const reached = new Set(['README.md']);
    for (const page of reached)
      for (const { link } of linksOf(page)) {
        const [path = ''] = link.split('#');
        const target = normalize(join(dirname(page), path));
        if (path.endsWith('.md') && !/^https?:/.test(link)) reached.add(target);
        // README.md names the folder of the decisions.
        if (target === 'docs/decisions')
          for (const one of PAGES.filter((p) => p.startsWith('docs/decisions/'))) reached.add(one);
      }
    assert.deepEqual(
      PAGES.filter((page) => !reached.has(page) && !page.startsWith('.github/')),
      [],
    );
  });
});

describe('code, comments, help texts and files of deployment', () => {
  it('name pages that exist, with headings that they have', () => {
    // `docs/x.md#y`, and `x.md#y` in texts of which a page of docs is made.
    const named = /(?<![\w./-])((?:docs\/)?(?:[\w-]+\/)*[\w-]+\.md)(?:#([\w-]*))?(?![\w])/g;
    const faults = CODE.flatMap((file) =>
      [
        ...read(file)
          .replace(/https?:\/\/\S+/g, ownPage)
          .matchAll(named),
      ].flatMap(([text, path = '', anchor]) => {
        const target = [path, `docs/${path}`, join(dirname(file), path)].find((one) =>
          PAGES.includes(normalize(one)),
        );
        if (target === undefined) return isInvented(file, path) ? [] : [`${file}: there is no ${text}`];
        // A name that is put together at run time ends with `#`.
        return !anchor || hasAnchor(normalize(target), anchor) ? [] : [`${file}: no heading for ${text}`];
      }),
    );
    assert.deepEqual(faults, []);
  });

  it('name sections that the pages have', () => {
    const named =
      /\b((?:docs\/[\w-]+|README|CONTRIBUTING|SECURITY)\.md)[`')}]*,? \(?(?:under )?["“]([^"”]+)["”]/g;
    const found = CODE.flatMap((file) =>
      [...read(file).matchAll(named)].map(([, page = '', title = '']) => ({ file, page, title })),
    );
    const faults = found.filter(({ page, title }) => !hasAnchor(page, anchorsOf(`# ${title}`)[0] ?? ''));
    assert.deepEqual(faults, []);
    assert.ok(found.length > 0);
  });

  it('name decisions that were made', () => {
    const made = new Set(PAGES.flatMap((page) => /^docs\/decisions\/(\d{4})-/.exec(page)?.[1] ?? []));
    const faults = [...CODE, ...PAGES].flatMap((file) =>
      [...read(file).matchAll(/\bdecisions? (\d{1,4})\b/g)].flatMap(([text, number = '']) =>
        made.has(number.padStart(4, '0')) ? [] : [`${file}: ${text}`],
      ),
    );
    assert.deepEqual(faults, []);
  });

  it('and pages have addresses of other sites in a form that can be right', () => {
    const address = /\bhttps?:\/\/[^\s`'"<>)\]}|\\]+/g;
    const faults = [...CODE.filter((file) => !file.startsWith('test/')), ...PAGES].flatMap((file) =>
      [...read(file).matchAll(address)].flatMap(([text]) => {
        const bare = text.replace(/[.,;:]+$/, '');
        if (OF_READER.test(bare.replace(/^https?:\/\//, '')) || /[${*]/.test(bare)) return [];
        const fault = faultOfAddress(bare);
        return fault === undefined ? [] : [`${file}: ${bare}: ${fault}`];
      }),
    );
    assert.deepEqual(faults, []);
  });
});

/** The page that an address of this project means, or nothing. The form of the address is judged elsewhere. */
const ownPage = (address: string): string => /\/OWNER\/sluice\/blob\/main\/(\S+)/.exec(address)?.[1] ?? '';

/** Names of pages in tests that are no pages, and the pages of a decision that is named by its number alone. */
const isInvented = (file: string, path: string): boolean =>
  file.startsWith('test/') || PAGES.some((page) => page.startsWith(`${path.replace(/\.md$/, '')}-`));

describe('the judge of links', () => {
  for (const [link, fault] of [
    ['README.md', undefined],
    ['docs/protocol.md#resume', undefined],
    ['#install', undefined],
    ['docs/gone.md', /there is no docs\/gone\.md/],
    ['docs/protocol.md#gone', /no heading for #gone/],
    ['../other', /out of the project/],
    ['https://kafka.apache.org/protocol#protocol_types', undefined],
    ['http://kafka.apache.org/', /not https/],
    ['https://localhost/x', /no public host name/],
    ['https://github.com/OWNER/sluice/blob/main/docs/protocol.md#gone', /no heading/],
    ['ftp://x.org', /unknown kind/],
  ] as const)
    it(`finds ${fault === undefined ? 'nothing wrong with' : 'the fault of'} ${link}`, () => {
      const found = faultOfLink(link, 'README.md');
      if (fault === undefined) assert.equal(found, undefined);
      else assert.match(found ?? '', fault);
    });
});
