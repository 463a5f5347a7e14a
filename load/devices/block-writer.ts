// Builds one write of a device: a buffer with several lines, some of them bad if the plan says so.
import type { DeviceStats } from '../report/counters.ts';
import type { DeviceLedger } from '../verification/ledger.ts';
import { BAD_LINES, type BadLineBook } from './bad-lines.ts';
import type { LineWriter } from './line-writer.ts';

export interface BlockWriterOptions {
  readonly lines: LineWriter;
  readonly ledger: DeviceLedger;
  readonly bad: BadLineBook;
  readonly stats: DeviceStats;
  readonly random: () => number;
  readonly linesPerWrite: number;
  readonly badShare: number;
}

export class BlockWriter {
  readonly #options: BlockWriterOptions;

  constructor(options: BlockWriterOptions) {
    this.#options = options;
  }

  /** The next lines, due at `dueUs`. Advances the ledger by their messages. */
  next(dueUs: number): { bytes: Buffer; messages: number } {
    const { lines, ledger, bad, stats, random, linesPerWrite, badShare } = this.#options;
    const block = Buffer.allocUnsafe(linesPerWrite * lines.maxBytes);
    const first = ledger.next;
    let end = 0;
    for (let line = 0; line < linesPerWrite; line++) {
      if (badShare > 0 && random() < badShare) {
        const chosen = BAD_LINES[Math.floor(random() * BAD_LINES.length)] as (typeof BAD_LINES)[number];
        bad.sent(chosen);
        stats.counts.bad++;
        end += chosen.bytes.copy(block, end);
      } else {
        end = lines.write(block, end, ledger.next++, dueUs);
      }
    }
    const messages = ledger.next - first;
    stats.counts.lines += linesPerWrite;
    stats.counts.messages += messages;
    stats.counts.bytes += end;
    return { bytes: block.subarray(0, end), messages };
  }
}
