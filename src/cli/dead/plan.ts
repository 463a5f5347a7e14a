// Counts the selected letters by their future, for a person to decide. It sends nothing.

import { printable } from '../../config/printable.ts';
import { table } from '../../config/text-table.ts';
import { adoptedLogOf } from '../../letters/adopted-letters.ts';
import type { Letter } from '../../letters/letter.ts';
import { isInOutbox } from '../../letters/outbox-place.ts';
import { NOT_SENT, type NotSent, type Verdict } from '../../letters/verdict.ts';

interface Counted {
  letters: number;
  records: number;
}

export class Plan {
  /** Letters to send that are on disk: refused again, of logs that were adopted, or of gateways. */
  readonly onDisk = { outbox: 0, adopted: 0, spool: 0 };
  readonly #send = new Map<string, Counted>();
  readonly #kept = new Map<NotSent, number>();

  /** Letters that would be sent. */
  get letters(): number {
    return [...this.#send.values()].reduce((sum, { letters }) => sum + letters, 0);
  }

  get kept(): number {
    return [...this.#kept.values()].reduce((sum, letters) => sum + letters, 0);
  }

  add(letter: Letter, verdict: Verdict): void {
    if (verdict.kind === 'keep') {
      this.#kept.set(verdict.why, (this.#kept.get(verdict.why) ?? 0) + 1);
      return;
    }
    const counted = this.#send.get(letter.topic) ?? { letters: 0, records: 0 };
    this.#send.set(letter.topic, counted);
    counted.letters++;
    counted.records += verdict.records.length;
    const { place } = letter;
    if (place.kind === 'topic') return;
    if (adoptedLogOf(place) !== undefined) this.onDisk.adopted++;
    else this.onDisk[isInOutbox(place.log) ? 'outbox' : 'spool']++;
  }

  get text(): string {
    const rows = [...this.#send].map(([topic, { letters, records }]) => [
      printable(topic),
      `${letters}`,
      `${records}`,
    ]);
    const sent =
      rows.length === 0 ? 'nothing to send\n' : table([['TO TOPIC', 'LETTERS', 'RECORDS'], ...rows]);
    const kept = [...this.#kept].map(([why, letters]) => `  ${letters}: ${NOT_SENT[why]}\n`);
    if (kept.length > 0) return `${sent}not sent:\n${kept.join('')}`;
    return rows.length > 0 ? sent : 'no such dead letters, so nothing to send\n';
  }
}
