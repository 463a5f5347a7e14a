// How many partitions the spool's batches were placed for, and the placing anew when that was wrong: records
// gathered before Kafka was first seen, or for a topic that came back smaller.
//
// - `<topic>.layout`: JSON, the number of partitions and whether Kafka confirmed it.
// - Placing anew writes a second set of logs under `<topic>.placing/`, marks it `done`, then swaps directories.
//   A crash before the mark starts over from the old set, after it the swap is finished at the next start.
import { existsSync } from 'node:fs';
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { syncDirectory } from './sync-directory.ts';

export interface Layout {
  readonly partitions: number;
  /** False where the number was only assumed because Kafka had not been seen. */
  readonly known: boolean;
}

export class SpoolLayout {
  readonly #directory: string;
  readonly #topic: string;
  #layout: Layout | undefined;
  #isSaved = true;

  private constructor(directory: string, topic: string, layout: Layout | undefined) {
    this.#directory = directory;
    this.#topic = topic;
    this.#layout = layout;
  }

  /** Reads the layout, after finishing or undoing a placing that a crash broke off. */
  static async open(directory: string, topic: string): Promise<SpoolLayout> {
    const layout = new SpoolLayout(directory, topic, await readLayout(join(directory, `${topic}.layout`)));
    if (existsSync(join(layout.placingDirectory, 'done'))) await layout.swap();
    else await rm(layout.placingDirectory, { recursive: true, force: true });
    return layout;
  }

  get current(): Layout | undefined {
    return this.#layout;
  }

  /** What the directories of the partitions are named after: `<topic>-<partition>`. */
  get topic(): string {
    return this.#topic;
  }

  get placingDirectory(): string {
    return join(this.#directory, `${this.#topic}.placing`);
  }

  async set(layout: Layout): Promise<void> {
    const isSame = this.#layout?.partitions === layout.partitions && this.#layout.known === layout.known;
    if (isSame && this.#isSaved) return;
    this.#layout = layout;
    const path = join(this.#directory, `${this.#topic}.layout`);
    try {
      await writeFile(`${path}.new`, `${JSON.stringify(layout)}\n`);
      await rename(`${path}.new`, path);
      this.#isSaved = true;
    } catch {
      // A full disk must not keep the gateway from starting; without it the next start assumes the setting.
      this.#isSaved = false;
    }
  }

  async beginPlacing(): Promise<void> {
    await rm(this.placingDirectory, { recursive: true, force: true });
    await mkdir(this.placingDirectory, { recursive: true });
  }

  /** The new set is whole and synced: from here on it is the one that counts. */
  async markPlaced(): Promise<void> {
    const mark = await open(join(this.placingDirectory, 'done'), 'w');
    await mark.sync();
    await mark.close();
    await syncDirectory(this.placingDirectory);
    await syncDirectory(this.#directory);
    await this.swap();
  }

  /** Replaces the topic's logs by the new set. Each step may be repeated after a crash. */
  async swap(): Promise<void> {
    const prefix = `${this.#topic}-`;
    const placed = (await readdir(this.placingDirectory)).filter((name) => name.startsWith(prefix));
    const marker = join(this.placingDirectory, 'old-removed');
    if (!existsSync(marker)) {
      for (const name of await readdir(this.#directory)) {
        if (name.startsWith(prefix) && /^\d+$/.test(name.slice(prefix.length))) {
          await rm(join(this.#directory, name), { recursive: true, force: true });
        }
      }
      await writeFile(marker, '');
    }
    for (const name of placed) await rename(join(this.placingDirectory, name), join(this.#directory, name));
    await rm(this.placingDirectory, { recursive: true, force: true });
  }
}

async function readLayout(path: string): Promise<Layout | undefined> {
  try {
    const { partitions, known } = JSON.parse(await readFile(path, 'utf8')) as Partial<Layout>;
    return typeof partitions === 'number' && partitions > 0
      ? { partitions, known: known === true }
      : undefined;
  } catch {
    // Missing or damaged: then the setting is assumed, as at the first start.
    return undefined;
  }
}
