// Which letters a command is about. No I/O.
import type { Letter } from './letter.ts';

export interface Selection {
  /** Only letters that were for this topic. */
  readonly topic?: string | undefined;
  /** Only letters with one of these reasons, in lower case. */
  readonly reasons?: readonly string[] | undefined;
  /** Milliseconds since 1970. `sinceMs` itself is included, `untilMs` is not. */
  readonly sinceMs?: number | undefined;
  readonly untilMs?: number | undefined;
  /** Only letters of this partition of the topic of dead letters, and none from the disk. */
  readonly partition?: number | undefined;
  /** Only the letter with this offset. */
  readonly offset?: number | undefined;
  /** Only the newest so many letters of each partition, and of each log on disk, before any other choice. */
  readonly last?: number | undefined;
}

export function isSelected(letter: Letter, selection: Selection): boolean {
  const { topic, reasons, sinceMs = -Infinity, untilMs = Infinity, partition, offset } = selection;
  const { place } = letter;
  if (topic !== undefined && letter.topic !== topic) return false;
  if (reasons !== undefined && !reasons.includes(letter.reason.toLowerCase())) return false;
  if (letter.timeMs < sinceMs || letter.timeMs >= untilMs) return false;
  if (partition !== undefined && (place.kind !== 'topic' || place.partition !== partition)) return false;
  return offset === undefined || place.offset === offset;
}

/** Everything is asked for, so that a command may look at the newest letters only. */
export function isEverything({ last, ...rest }: Selection): boolean {
  return last === undefined && Object.values(rest).every((choice) => choice === undefined);
}
