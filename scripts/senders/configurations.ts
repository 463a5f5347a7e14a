// Reads the configurations that docs/senders.md marks as tested, so page and tests cannot differ.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

export const PAGE = fileURLToPath(new URL('../../../docs/senders.md', import.meta.url));

/** The names of the gateway and of files on the page. */
const HOST = 'gateway.example';
const PORT = /\b8090\b/g;
const FILES = { ca: '/etc/ssl/sluice-ca.pem', trustStore: '/etc/ssl/sluice.p12', input: '/var/log/app.json' };

export interface Place {
  /** Over TLS it has to be a name in the certificate. */
  readonly host: string;
  readonly port: number;
  /** Paths in place of those of the page. */
  readonly files?: Partial<typeof FILES>;
}

const BLOCK = /<!-- tested: (\S+) -->\n```\w*\n([\s\S]*?)\n```/g;

/** Every tested block of the page by its name, as it stands there. */
export function testedBlocks(page = readFileSync(PAGE, 'utf8')): ReadonlyMap<string, string> {
  return new Map([...page.matchAll(BLOCK)].map(([, name = '', text = '']) => [name, `${text}\n`]));
}

/** The block for this place. @throws Error if the page has no such block, or names the gateway in another way */
export function configuration(name: string, { host, port, files = {} }: Place): string {
  const text = testedBlocks().get(name);
  if (text === undefined) throw new Error(`docs/senders.md has no block ${name}`);
  let placed = text.replaceAll(HOST, host).replace(PORT, String(port));
  for (const [key, path] of Object.entries(FILES))
    placed = placed.replaceAll(path, files[key as keyof typeof FILES] ?? path);
  return placed;
}
