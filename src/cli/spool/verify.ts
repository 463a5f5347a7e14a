// `sluice spool verify`: checks the checksum of every batch. It repairs nothing; the gateway's next start does.
import { setTimeout as pause } from 'node:timers/promises';
import { bytesText } from '../../config/amounts.ts';
import { table } from '../../config/text-table.ts';
import { type LogPlace, listLogs, listSegments, readSegment, type SegmentFile } from '../../spool/inspect.ts';
import type { Found } from '../../spool/segment-scan.ts';
import { say } from '../output.ts';
import { partitionText, topicText } from './cells.ts';

interface Verdict {
  batches: number;
  records: number;
  bytes: number;
  bad: number;
  torn: number;
  /** Offsets without an intact batch. */
  missing: number;
}

/** A write takes milliseconds. An unfinished end that has not changed after this time was left by a crash. */
const SECOND_LOOK_MS = 1000;

export async function verify(directory: string): Promise<number> {
  const rows = [['TOPIC', 'PARTITION', 'INTACT', 'RECORDS', 'BYTES', 'BAD', 'TORN', 'MISSING']];
  let damaged = 0;
  let torn = 0;
  for (const place of await listLogs(directory)) {
    const verdict = await check(place);
    damaged += verdict.bad + verdict.missing;
    torn += verdict.torn;
    rows.push([
      topicText(place),
      partitionText(place),
      `${verdict.batches}`,
      `${verdict.records}`,
      bytesText(verdict.bytes),
      `${verdict.bad}`,
      `${verdict.torn}`,
      `${verdict.missing}`,
    ]);
  }
  process.stdout.write(table(rows));
  if (damaged > 0) say('damage was found: the gateway skips it, and sets it aside at its next start');
  if (torn > 0) say('unfinished writes were found, which were never confirmed: the next start cuts them off');
  return damaged + torn > 0 ? 1 : 0;
}

async function check(place: LogPlace): Promise<Verdict> {
  const verdict: Verdict = { batches: 0, records: 0, bytes: 0, bad: 0, torn: 0, missing: 0 };
  let expected: number | undefined;
  for (const segment of await listSegments(place)) {
    if (expected !== undefined && segment.base > expected) verdict.missing += segment.base - expected;
    expected = segment.base;
    for await (const found of readSegment(segment)) {
      if (found.kind === 'batch') {
        const { baseOffset, count, bytes } = found.header;
        if (baseOffset > expected) verdict.missing += baseOffset - expected;
        expected = baseOffset + count;
        verdict.batches++;
        verdict.records += count;
        verdict.bytes += bytes;
      } else if (found.kind === 'bad') {
        report(verdict, segment, found);
      } else if (segment.nextBase !== Infinity || (await isUnchanged(segment, found))) {
        report(verdict, segment, found);
      }
    }
  }
  return verdict;
}

function report(verdict: Verdict, { path }: SegmentFile, found: Exclude<Found, { kind: 'batch' }>): void {
  const torn = found.kind === 'tail' && !found.complete;
  if (torn) verdict.torn++;
  else verdict.bad++;
  say(
    `${path}: ${torn ? 'unfinished' : 'damaged'} from byte ${found.position} on, ${bytesText(found.bytes)}`,
  );
}

async function isUnchanged(segment: SegmentFile, tail: Found & { kind: 'tail' }): Promise<boolean> {
  await pause(SECOND_LOOK_MS);
  for await (const found of readSegment(segment, tail.position)) {
    return found.kind === 'tail' && found.bytes === tail.bytes;
  }
  return false;
}
