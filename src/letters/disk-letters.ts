// The letters on disk: those that gateways could not send yet, in every process's part of SPOOL_DIR, and those that the
// outbox has. It takes no lock and changes nothing, so a gateway may be sending them meanwhile.
import { existsSync } from 'node:fs';
import { relative } from 'node:path';
import { CodecUnavailableError } from '../kafka/batches/compression.ts';
import { unpack } from '../kafka/batches/split-batch.ts';
import { type LogPlace, listLogs, readUnacknowledged } from '../spool/inspect.ts';
import type { Found } from '../spool/segment-scan.ts';
import { adoptedLogs } from './adopted-letters.ts';
import { type Letter, readLetter } from './letter.ts';
import { outboxSpool } from './outbox-place.ts';

export interface DiskLettersOptions {
  /** SPOOL_DIR. */
  readonly root: string;
  /** Of letters that do not name the topic that they were for. */
  readonly metricsTopic: string;
  /** Called with damaged places, which are passed over. */
  readonly damaged: (text: string) => void;
}

/** The letters of each log, oldest first, some at a time. @throws the system's error, CodecUnavailableError */
export async function* lettersOnDisk(options: DiskLettersOptions): AsyncGenerator<Letter[]> {
  const { root } = options;
  for (const directory of [root, outboxSpool(root)]) {
    if (!existsSync(directory)) continue;
    for (const place of await listLogs(directory))
      if (place.kind === 'dead letters') yield* lettersOf(place, options);
  }
  yield* adoptedLetters(options);
}

/** The letters of logs that were adopted (adopted-letters.ts). */
export async function* adoptedLetters(options: DiskLettersOptions): AsyncGenerator<Letter[]> {
  for (const place of await adoptedLogs(options.root)) yield* lettersOf(place, options);
}

async function* lettersOf(place: LogPlace, options: DiskLettersOptions): AsyncGenerator<Letter[]> {
  for await (const { path, found, from } of readUnacknowledged(place)) {
    if (found.kind !== 'batch') {
      // An unfinished end may be a write in progress.
      if (found.kind === 'bad' || found.complete)
        options.damaged(`${path} is damaged from byte ${found.position} on`);
      continue;
    }
    try {
      yield (await lettersIn(found, place, options)).filter((letter) => letter.place.offset >= from);
    } catch (error) {
      if (error instanceof CodecUnavailableError) throw error;
      options.damaged(`${path}: the batch at byte ${found.position} cannot be unpacked`);
    }
  }
}

async function lettersIn(
  { header, bytes }: Found & { kind: 'batch' },
  { directory }: LogPlace,
  { root, metricsTopic }: DiskLettersOptions,
): Promise<Letter[]> {
  const log = relative(root, directory);
  return (await unpack(bytes)).map(({ timestampMs, body }, index) =>
    // The buffer of the batch is used again for the next one.
    readLetter(
      {
        place: { kind: 'disk', log, offset: header.baseOffset + index },
        timestampMs,
        body: Buffer.from(body),
      },
      metricsTopic,
    ),
  );
}
