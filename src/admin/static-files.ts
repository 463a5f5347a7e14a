// Serves the files of the dashboard from memory. They hold no data, so they are open; dashboard/ says which there are.
import type { IncomingMessage } from 'node:http';
import type { AnswerForms, Operation } from './operations.ts';
import { type Reply, text } from './reply.ts';

export interface StaticFile {
  readonly type: string;
  readonly body: Buffer;
  /** The same, compressed. */
  readonly gzipped: Buffer;
  /** Changes with the content: the value of the header ETag. */
  readonly etag: string;
  readonly headers: Readonly<Record<string, string>>;
}

/** By path. `/` is the page itself. */
export type StaticFiles = ReadonlyMap<string, StaticFile>;

const FOLDER = '/dashboard/';
const HEADERS = ['ETag', 'Vary'];
/** With the header If-None-Match. */
const UNCHANGED: AnswerForms = { 304: { about: 'the file has not changed', content: {}, headers: HEADERS } };

/** The page at `/` for browsers. Others get the list of pages. */
export const PAGE: { readonly type: string; readonly answers: AnswerForms } = {
  type: 'text/html; charset=utf-8',
  answers: UNCHANGED,
};

/** Below `/dashboard/`. Their names may change with each version. */
export const FILES: Operation = {
  about: 'The scripts, styles and pictures of the dashboard. Their names are no part of this contract.',
  answers: {
    200: {
      about: 'the file, compressed with gzip if the client accepts it',
      content: {
        'text/javascript; charset=utf-8': 'text',
        'text/css; charset=utf-8': 'text',
        'image/svg+xml': 'text',
      },
      headers: HEADERS,
    },
    ...UNCHANGED,
    404: { about: 'there is no such file' },
  },
};

/** The page at `/` is for browsers. Undefined if the path is none of a file. */
export async function staticReply(
  path: string,
  request: IncomingMessage,
  files: () => Promise<StaticFiles>,
): Promise<Reply | undefined> {
  const { accept = '', 'accept-encoding': encodings = '', 'if-none-match': known = '' } = request.headers;
  const isPage = path === '/' && accept.includes('text/html');
  if (!isPage && !path.startsWith(FOLDER)) return undefined;
  const file = (await files()).get(path);
  if (file === undefined) return isPage ? undefined : text(404, 'no such file of the dashboard');
  const { type, body, gzipped, etag, headers } = file;
  const isZipped = /\bgzip\b(?!\s*;\s*q=0(?:\.0*)?(?![.\d]))/i.test(encodings);
  const own = {
    ...headers,
    ETag: etag,
    // Asks each time whether it has changed: after an update no browser has half of the former page.
    'Cache-Control': 'no-cache',
    Vary: 'Accept, Accept-Encoding',
  };
  const tags = known.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  if (tags.includes(etag) || tags.includes('*')) return { status: 304, type, body: '', headers: own };
  const encoding = isZipped && { 'Content-Encoding': 'gzip' };
  return { status: 200, type, body: isZipped ? gzipped : body, headers: { ...own, ...encoding } };
}
