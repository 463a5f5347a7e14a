// Formats the data directory of a broker. Kafka's own tool does it once for a version and takes most of a second of CPU;
// later directories are copies of the first one's two files, with ids of their own.
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { cp, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const META = 'meta.properties';
const CHECKPOINT = 'bootstrap.checkpoint';

export interface Storage {
  readonly dataDir: string;
  readonly nodeId: number;
  readonly clusterId: string;
}

let made = 0;

/** @param format runs Kafka's tool on the directory */
export async function formatStorage(
  template: string,
  { dataDir, nodeId, clusterId }: Storage,
  format: () => Promise<void>,
): Promise<void> {
  if (!existsSync(template)) {
    await format();
    await keep(template, dataDir);
    return;
  }
  const ids = { 'node.id': nodeId, 'cluster.id': clusterId, 'directory.id': newDirectoryId() };
  const meta = Object.entries(ids).reduce(
    (text, [name, value]) => text.replace(new RegExp(`^${name}=.*$`, 'm'), `${name}=${value}`),
    await readFile(join(template, META), 'utf8'),
  );
  await mkdir(dataDir, { recursive: true });
  await cp(join(template, CHECKPOINT), join(dataDir, CHECKPOINT));
  // Last: a directory with this file counts as formatted.
  await writeFile(join(dataDir, META), meta);
}

async function keep(template: string, dataDir: string): Promise<void> {
  const partial = `${template}.${process.pid}-${made++}`;
  try {
    await mkdir(partial, { recursive: true });
    for (const name of [META, CHECKPOINT]) await cp(join(dataDir, name), join(partial, name));
    await rename(partial, template);
  } catch {
    // Another version has other files, or another process was faster: the tool will do.
    await rm(partial, { recursive: true, force: true });
  }
}

/** In Kafka's form. Kafka keeps the ids that begin with a dash for itself. */
function newDirectoryId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? newDirectoryId() : id;
}
