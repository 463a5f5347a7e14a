// The files that a browser loads for the dashboard: the page, its compiled scripts and styles, and the libraries from their
// packages. They hold no data, are read once, and are served from memory by admin/. A path that is not in the table is none.
import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { StaticFile, StaticFiles } from '../admin/static-files.ts';
import { PACKAGE_ROOT } from '../config/package-root.ts';
import { indexPage } from './index-page.ts';

const PREFIX = '/dashboard';
const PAGE_FOLDER = fileURLToPath(new URL('dist/src/dashboard/page/', PACKAGE_ROOT));
const TYPES: Readonly<Record<string, string>> = {
  js: 'text/javascript; charset=utf-8',
  mjs: 'text/javascript; charset=utf-8',
  css: 'text/css; charset=utf-8',
  svg: 'image/svg+xml',
};

/** By name of the file under /dashboard/lib/: its package, and its path there. */
const LIBRARIES: Readonly<Record<string, readonly [name: string, path: string]>> = {
  'preact.mjs': ['preact', 'dist/preact.mjs'],
  'hooks.mjs': ['preact', 'hooks/dist/hooks.mjs'],
  'jsx-runtime.mjs': ['preact', 'jsx-runtime/dist/jsxRuntime.mjs'],
  // The ESM build is not minified: 145 kB instead of 51.
  'uplot.js': ['uplot', 'dist/uPlot.iife.min.js'],
  'uplot.css': ['uplot', 'dist/uPlot.min.css'],
};

const compress = promisify(gzip);
let loaded: Promise<StaticFiles> | undefined;

/** Reads them at the first call, which takes some milliseconds on other threads. Rejects if an installation is not complete. */
export function staticFiles(): Promise<StaticFiles> {
  loaded ??= load().catch((error: unknown) => {
    loaded = undefined;
    throw error;
  });
  return loaded;
}

async function load(): Promise<StaticFiles> {
  const names = (await readdir(PAGE_FOLDER, { recursive: true })).map((name) => name.replaceAll('\\', '/'));
  const own = names.filter((name) => /\.(?:js|css|svg)$/.test(name)).sort();
  const sources = [
    ...own.map((name) => [`${PREFIX}/page/${name}`, join(PAGE_FOLDER, name)] as const),
    ...Object.entries(LIBRARIES).map(
      ([name, [pack, path]]) => [`${PREFIX}/lib/${name}`, join(folderOf(pack), path)] as const,
    ),
  ];
  const files = await Promise.all(
    sources.map(async ([path, file]) => [path, await asFile(path, await readFile(file))] as const),
  );
  const { html, policy } = indexPage(sources.map(([path]) => path));
  const page = await asFile('/', Buffer.from(html), {
    'Content-Security-Policy': policy,
    'Referrer-Policy': 'no-referrer',
    'Cross-Origin-Opener-Policy': 'same-origin',
    'X-Frame-Options': 'DENY',
  });
  return new Map([['/', page], ...files]);
}

async function asFile(path: string, body: Buffer, headers: StaticFile['headers'] = {}): Promise<StaticFile> {
  const ending = path.slice(path.lastIndexOf('.') + 1);
  return {
    type: TYPES[ending] ?? 'text/html; charset=utf-8',
    body,
    gzipped: await compress(body, { level: 9 }),
    etag: `"${createHash('sha256').update(body).digest('base64url').slice(0, 22)}"`,
    headers: { 'Cross-Origin-Resource-Policy': 'same-origin', ...headers },
  };
}

/** Neither package exports its package.json, so the folder is that of `node_modules` from which its entry is resolved. */
function folderOf(name: string): string {
  const entry = createRequire(import.meta.url).resolve(name);
  const marker = join('node_modules', name);
  return entry.slice(0, entry.lastIndexOf(marker) + marker.length) || dirname(entry);
}
