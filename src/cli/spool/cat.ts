// `sluice spool cat`: the records themselves, or the dead letters, a batch in memory at a time.
import { printable } from '../../config/printable.ts';
import { CodecUnavailableError } from '../../kafka/batches/compression.ts';
import { recordHeaders, recordParts } from '../../kafka/batches/record-body.ts';
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
    say(`nothing of that topic or partition in ${directory}`);
    return 1;
  }
  const output = new Output(process.stdout);
  let left = limit;
  for (const place of places) {
    for await (const lines of linesOf(place, options)) {
      if (left <= 0) return 0;
      const wanted = lines.slice(0, left);
      left -= wanted.length;
      // The reader has seen enough (`| head`): that is no failure.
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
        // An unfinished end is nothing that was ever confirmed, and perhaps a write under way.
        if (found.kind === 'bad' || found.complete)
          say(`${segment.path}: damaged from byte ${found.position} on, ${found.bytes} bytes passed over`);
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
      // Offsets are each process's own.
      ...(of > 0 && { process: of }),
      ...(kind === 'readings' && { topic }),
      partition: log === 'partition' ? number : null,
      ...(log !== 'partition' && { log }),
      ...(log === 'gone' && { number }),
      offset,
      timestamp: timestampMs,
      ...(kind === 'readings' ? { key: Buffer.from(key).toString() } : { headers: recordHeaders(body) }),
      value: value.toString(),
    };
    // JSON leaves C1 and bidirectional characters as they are; a terminal would obey them.
    return Buffer.from(printable(JSON.stringify(line)));
  });
}
