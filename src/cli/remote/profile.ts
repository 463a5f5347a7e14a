// `sluice profile`: brings a CPU profile or a heap snapshot of a process into a file that did not exist before, for its owner only.
import { createWriteStream, existsSync } from 'node:fs';
import { statfs, unlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { bytesText } from '../../config/amounts.ts';
import { say } from '../output.ts';
import type { AdminClient } from './client.ts';
import { notSluice, RemoteError } from './failure.ts';
import { withGateway } from './open-client.ts';
import type { ProfileWish } from './options.ts';

/** For a profile beyond its seconds, and for a heap snapshot: 1 s for 100 MB. */
const EXTRA_MS = 120_000;
/** More than V8's heap can give. */
const MAX_BYTES = 64 * 2 ** 30;

export function runProfile(wish: ProfileWish): Promise<number> {
  return withGateway(wish, (client) => profile(client, wish));
}

async function profile(
  client: AdminClient,
  { heap, seconds, process: index, output }: ProfileWish,
): Promise<number> {
  const kind = heap ? 'heap' : 'cpu';
  if (output !== undefined && existsSync(output)) throw isThere(output);
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end.abort());
  say(heap ? 'the process stands still for its heap snapshot' : `a CPU profile of ${seconds} s`);
  const query = { kind, seconds: heap ? undefined : seconds, process: index };
  const waitMs = EXTRA_MS + (heap ? 0 : seconds * 1000);
  try {
    const { headers, chunks } = await client.download('/profile', { query, signal: end.signal, waitMs });
    const path = output ?? nameIn(headers['content-disposition']) ?? `sluice-${kind}${EXTENSIONS[kind]}`;
    await checkRoom(client, { path, length: Number(headers['content-length']) });
    const bytes = await save(path, chunks, end.signal);
    process.stdout.write(`${path}\n`);
    say(`${bytesText(bytes)}; open it in Chrome DevTools, tab ${heap ? 'Memory' : 'Performance'}`);
    if (heap) say('it has every secret of the process: tokens, passwords, readings');
    return 0;
  } catch (error) {
    const isWanted = !end.signal.aborted;
    // Nobody reads the rest of the answer.
    end.abort();
    if (isWanted) throw error;
    say('ended early; no file was kept');
    return 1;
  }
}

const EXTENSIONS = { cpu: '.cpuprofile', heap: '.heapsnapshot' } as const;

function isThere(path: string): RemoteError {
  return new RemoteError(`${path} is there already, and is not written over`, 1);
}

/** A name of ours without a folder: the other side must choose neither the folder nor a name that programs look for. */
function nameIn(disposition: string | undefined): string | undefined {
  return /filename="(sluice-[\w-]{1,80}\.(?:cpuprofile|heapsnapshot))"/.exec(disposition ?? '')?.[1];
}

/** The other side must not fill the disk. */
async function checkRoom(
  { origin }: AdminClient,
  { path, length }: { path: string; length: number },
): Promise<void> {
  if (!(length <= MAX_BYTES)) throw notSluice(origin, 'it does not say how long the profile is');
  const { bavail, bsize } = await statfs(dirname(path));
  if (length > bavail * bsize)
    throw new RemoteError(`${path} would have ${bytesText(length)}, and the disk has less room`, 1);
}

/** Whatever is not complete is removed. Resolves with its bytes. */
async function save(path: string, chunks: AsyncIterable<unknown>, signal: AbortSignal): Promise<number> {
  const file = createWriteStream(path, { flags: 'wx', mode: 0o600 });
  try {
    await pipeline(chunks, file, { signal });
    return file.bytesWritten;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST') throw isThere(path);
    await unlink(path).catch(() => {});
    if (error instanceof RemoteError || signal.aborted) throw error;
    throw new RemoteError(`${path} cannot be written: ${message}`, 1);
  }
}
