// `sluice dead show`: prints letters whole, with their headers and whether they would be sent again. It keeps only the
// letters that it prints.
import { isUtf8 } from 'node:buffer';
import { printable } from '../../config/printable.ts';
import type { Judge } from '../../letters/judge.ts';
import { type Letter, placeText } from '../../letters/letter.ts';
import { readSent } from '../../letters/outbox.ts';
import { isEverything } from '../../letters/selection.ts';
import { NOT_SENT, type Verdict } from '../../letters/verdict.ts';
import { Output, say } from '../output.ts';
import type { ShowOptions } from './command.ts';
import { type Session, selectionFrom } from './session.ts';

export async function show(session: Session, options: ShowOptions): Promise<number> {
  const { limit, timeout } = options;
  const sent = await readSent(session.settings.SPOOL_DIR);
  const topic = await session.topicLettersToLookAt(sent);
  session.limit(timeout);
  const chosen = { ...selectionFrom(options), last: options.last };
  const selection = isEverything(chosen) ? { ...chosen, last: limit } : chosen;
  let newest: Letter[] = [];
  for await (const letters of session.letters(topic, selection)) newest = newestOf(newest, letters, limit);
  if (newest.length === 0) say('no such dead letters');
  const judge = session.judge(topic, { sent });
  const output = new Output(process.stdout);
  for (const letter of newest) if (!(await output.write([await rendered(letter, judge, options)]))) break;
  if (session.signal.aborted)
    say('stopped before all letters were looked at. --last 10000 or --since 1h looks at the newest');
  return newest.length === 0 || session.isTopicUnread ? 1 : 0;
}

/** Whoever may write letters chooses their size. At least one is shown. */
const MAX_BYTES = 256 * 2 ** 20;

export function newestOf(before: readonly Letter[], letters: readonly Letter[], limit: number): Letter[] {
  const newest = [...before, ...letters].sort((a, b) => a.timeMs - b.timeMs).slice(-limit);
  let bytes = 0;
  const tooMuch = newest.findLastIndex(({ body, value }) => {
    bytes += body.length + value.length;
    return bytes > MAX_BYTES;
  });
  return newest.slice(Math.min(tooMuch + 1, newest.length - 1));
}

async function rendered(letter: Letter, judge: Judge, { json, value }: ShowOptions): Promise<Buffer> {
  if (value) return process.stdout.isTTY ? Buffer.from(printable(letter.value.toString())) : letter.value;
  const verdict = await judge.verdictOn(letter).catch(() => undefined);
  // JSON does not escape C1 and bidirectional characters, which a terminal would obey.
  return Buffer.from(json ? printable(JSON.stringify(asJson(letter, verdict))) : asText(letter, verdict));
}

function asJson(letter: Letter, verdict: Verdict | undefined) {
  const { place, timeMs, reason, kind, topic, headers, value } = letter;
  return {
    ...place,
    kind,
    where: place.kind,
    ...(place.kind === 'topic' && { letterTopic: place.topic }),
    topic,
    time: new Date(timeMs).toISOString(),
    reason,
    headers,
    ...(isUtf8(value) ? { value: value.toString() } : { valueBase64: value.toString('base64') }),
    resendable: verdict?.kind === 'send',
    ...(verdict?.kind === 'keep' && { why: verdict.why, whyText: whyText(verdict) }),
  };
}

function asText(letter: Letter, verdict: Verdict | undefined): string {
  const { timeMs, reason, kind, topic, headers, value } = letter;
  const fields = Object.entries(headers).map(([name, text]) => `  ${printable(name)}: ${printable(text)}`);
  return [
    `${placeText(letter)}  ${new Date(timeMs).toISOString()}  ${printable(reason)}: a ${kind} for ${printable(topic)}`,
    ...fields,
    `  send again: ${verdict === undefined ? 'unknown, because Kafka cannot be reached' : verdictText(verdict)}`,
    `  ${kind}: ${printable(value.toString())}`,
    '',
  ].join('\n');
}

function verdictText(verdict: Verdict): string {
  if (verdict.kind === 'keep') return `no, ${printable(whyText(verdict))}`;
  const { length } = verdict.records;
  return length === 1 ? 'yes' : `yes, as ${length} records`;
}

function whyText({ why, detail }: Verdict & { kind: 'keep' }): string {
  return detail === undefined ? NOT_SENT[why] : `${NOT_SENT[why]}: ${detail}`;
}
