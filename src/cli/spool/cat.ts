// `sluice spool cat`: prints the records or the dead letters of a spool, with one batch in memory at a time.
import { printable } from '../../config/printable.ts';
import { CodecUnavailableError } from '../../kafka/batches/compression.ts';
import { hasHeaders, recordHeaders, recordParts } from '../../kafka/batches/record-body.ts';
import { unpack } from '../../kafka/batches/split-batch.ts';
import { type LogPlace, listLogs, listSegments, readAcknowledged, readSegment } from '../../spool/inspect.ts';
import type { Found } from '../../spool/segment-scan.ts';
import { Output, say } from '../output.ts';
import type { CatOptions } from './command.ts';

export async function cat(directory: string, options: CatOptions): Promise<number> {
  const { topic, partition, limit = Infinity, deadLetters } = options;
  const places = (await listLogs(directory)).filter(
    (place) =>
      (place.kind === 'dead letters') === (deadLetters === true) &&
      (topic === undefined || place.topic === topic) &&
      (partition === undefined || (place.log === 'partition' && place.number === partition)),
  );
  if (places.length === 0 && (topic !== undefined || partition !== undefined)) {
    say(`${directory} has nothing of that topic or partition`);
    return 1;
  }
  const output = new Output(process.stdout);
  let left = limit;
  for (const place of places) {
    for await (const lines of linesOf(place, options)) {
      if (left <= 0) return 0;
      const wanted = lines.slice(0, left);
      left -= wanted.length;
      // The reader has ended (`| head`). That is no failure.
      if (!(await output.write(wanted))) return 0;
    }
  }
  return 0;
}

/** The partition's records as text, a batch at a time. */
async function* linesOf(place: LogPlace, options: CatOptions): AsyncGenerator<Buffer[]> {
  const acknowledged = options.all ? 0 : ((await readAcknowledged(place)) ?? 0);
  const from = Math.max(options.from ?? 0, acknowledged);
  for (const segment of await listSegments(place)) {
    if (segment.nextBase <= from) continue;
    for await (const found of readSegment(segment)) {
      if (found.kind !== 'batch') {
        // An unfinished end is not reported: it was never confirmed, and it may be a write in progress.
        if (found.kind === 'bad' || found.complete)
          say(`${segment.path}: damaged from byte ${found.position} on, skipped ${found.bytes} bytes`);
        continue;
      }
      if (found.header.baseOffset + found.header.count <= from) continue;
      try {
        yield await render(place, found, { from, valueOnly: options.valueOnly === true });
      } catch (error) {
        if (error instanceof CodecUnavailableError) throw error;
        say(
          `${segment.path}: the batch at byte ${found.position} cannot be unpacked: ${(error as Error).message}`,
        );
      }
    }
  }
}

async function render(
  { process: of, kind, topic, log, number }: LogPlace,
  { header, bytes }: Found & { kind: 'batch' },
  { from, valueOnly }: { from: number; valueOnly: boolean },
): Promise<Buffer[]> {
  const records = await unpack(bytes);
  return records.flatMap(({ timestampMs, body }, index) => {
    const offset = header.baseOffset + index;
    if (offset < from) return [];
    const { key, value } = recordParts(body);
    if (valueOnly) return process.stdout.isTTY ? Buffer.from(printable(value.toString())) : value;
    const line = {
      // Each process counts offsets of its own.
      ...(of > 0 && { process: of }),
      ...(kind === 'readings' && { topic }),
      partition: log === 'partition' ? number : null,
      ...(log !== 'partition' && { log }),
      ...(log === 'gone' && { number }),
      offset,
      timestamp: timestampMs,
      ...(kind === 'readings' && { key: Buffer.from(key).toString() }),
      ...((kind !== 'readings' || hasHeaders(body)) && { headers: recordHeaders(body) }),
      value: value.toString(),
    };
    // JSON does not escape C1 and bidirectional characters, which a terminal would obey.
    return Buffer.from(printable(JSON.stringify(line)));
  });
}
