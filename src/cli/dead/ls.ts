// `sluice dead ls`: counts the dead letters by reason, topic and place. Memory holds a row for each of them, whatever
// the number of letters.
import { printable } from '../../config/printable.ts';
import { table } from '../../config/text-table.ts';
import { isAdoptedSent } from '../../letters/adopted-letters.ts';
import type { Letter } from '../../letters/letter.ts';
import { readSent } from '../../letters/outbox.ts';
import { isEverything } from '../../letters/selection.ts';
import { jsonText } from '../json-text.ts';
import { say } from '../output.ts';
import { ageText } from '../spool/cells.ts';
import type { LsOptions } from './command.ts';
import { type Session, selectionFrom } from './session.ts';

interface Row {
  readonly reason: string;
  readonly topic: string;
  readonly place: 'topic' | 'disk';
  readonly kind: Letter['kind'];
  letters: number;
  /** Of them, how many `sluice dead resend` has sent. */
  sentAgain: number;
  oldestMs: number;
  newestMs: number;
  /** The start of the newest letter. */
  newest: string;
}

/** Whoever may write letters chooses the reasons. */
const MAX_ROWS = 200;
/** The longest name of a topic. */
const MAX_NAME = 249;
const OTHERS = '(other reasons)';
const MAX_CELL = 60;
const MIN_CELL = 20;
/** About the width of the other columns. */
const OTHER_COLUMNS = 100;

export async function ls(session: Session, options: LsOptions): Promise<number> {
  const { json, last, timeout } = options;
  const sent = await readSent(session.settings.SPOOL_DIR);
  const topic = await session.topicLettersToLookAt(sent);
  session.limit(timeout);
  const rows = new Map<string, Row>();
  let read = 0;
  const selection = { ...selectionFrom(options), last };
  for await (const letters of session.letters(topic, selection)) {
    for (const letter of letters) count(rows, letter, topic?.isSent(letter) || isAdoptedSent(sent, letter));
    read += letters.length;
  }
  const isWhole = !session.signal.aborted;
  const sorted = [...rows.values()].sort((a, b) => b.letters - a.letters);
  process.stdout.write(
    json
      ? `${jsonText({ topic: topic?.topic ?? null, isWhole, rows: sorted.map(asJson) }, 2)}\n`
      : asTable(sorted) || `${isEverything(selection) ? 'no dead letters' : 'no such dead letters'}\n`,
  );
  if (!isWhole)
    say(`stopped after ${read} letters, so there are more. --last 10000 or --since 1h looks at the newest`);
  return session.isTopicUnread ? 1 : 0;
}

function count(rows: Map<string, Row>, letter: Letter, isSent: boolean): void {
  const { place, kind, timeMs, value } = letter;
  const key = ({ reason, topic }: Pick<Row, 'reason' | 'topic'>) =>
    JSON.stringify([place.kind, topic, reason]);
  const own = { reason: letter.reason.slice(0, MAX_NAME), topic: letter.topic.slice(0, MAX_NAME) };
  const named = rows.size < MAX_ROWS || rows.has(key(own)) ? own : { reason: OTHERS, topic: '' };
  const id = key(named);
  const row: Row = rows.get(id) ?? {
    ...named,
    place: place.kind,
    kind,
    letters: 0,
    sentAgain: 0,
    oldestMs: timeMs,
    newestMs: -Infinity,
    newest: '',
  };
  rows.set(id, row);
  row.letters++;
  if (isSent) row.sentAgain++;
  row.oldestMs = Math.min(row.oldestMs, timeMs);
  if (timeMs < row.newestMs) return;
  row.newestMs = timeMs;
  row.newest = value.toString('utf8', 0, 4 * MAX_CELL).slice(0, 4 * MAX_CELL);
}

function asJson({ oldestMs, newestMs, ...row }: Row) {
  return { ...row, oldest: new Date(oldestMs).toISOString(), newestAt: new Date(newestMs).toISOString() };
}

function asTable(rows: readonly Row[]): string {
  if (rows.length === 0) return '';
  const now = Date.now();
  const columns = process.stdout.columns ?? Infinity;
  const max = Math.max(MIN_CELL, Math.min(MAX_CELL, columns - OTHER_COLUMNS));
  const cell = (text: string, most = MAX_CELL) => {
    const safe = printable(text);
    return safe.length > most ? `${safe.slice(0, most)}...` : safe;
  };
  const total = (read: (row: Row) => number) => `${rows.reduce((sum, row) => sum + read(row), 0)}`;
  const left = ['REASON', 'FOR TOPIC', 'WHERE', 'NEWEST LETTER'];
  return table(
    [
      ['REASON', 'FOR TOPIC', 'WHERE', 'LETTERS', 'SENT AGAIN', 'OLDEST', 'NEWEST', 'NEWEST LETTER'],
      ...rows.map((row) => [
        cell(row.reason || '(none)'),
        cell(row.topic),
        row.place,
        `${row.letters}`,
        `${row.sentAgain}`,
        ageText(now - row.oldestMs),
        ageText(now - row.newestMs),
        cell(row.newest, max),
      ]),
      ['total', '', '', total(({ letters }) => letters), total(({ sentAgain }) => sentAgain), '', '', ''],
    ],
    left,
  );
}
