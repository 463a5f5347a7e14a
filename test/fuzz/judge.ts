// Holds what a connection was answered, and its records, against the independent reader.
import type { Reply } from '../support/device.ts';
import type { ConnectionPlan } from './connection-plan.ts';
import type { Exchange } from './exchange.ts';
import type { LineVerdict } from './reader.ts';

export interface Disagreement {
  readonly kind:
    | 'accepted, but the reader refuses'
    | 'refused, but the reader accepts'
    | 'another record'
    | 'another answer';
  readonly connection: number;
  readonly text: string;
}

export interface Judged extends Exchange {
  readonly plan: ConnectionPlan;
  readonly verdicts: readonly LineVerdict[];
  readonly records: readonly string[];
}

const STATUS = { identify: 'identified', keepalive: 'alive', time: 'time', refused: 'error', metrics: '' };
const SHOWN = 300;

/** The records that a connection has to make, with `-` in place of the time. */
export function expectedRecords(verdicts: readonly LineVerdict[], connectionId: string): string[] {
  return verdicts.flatMap(({ readings, zipcode, city, device_id, tags, seq }) => {
    const head = JSON.stringify({ connection_id: connectionId, zipcode, city, received_at: '-' }).slice(
      0,
      -1,
    );
    const device = device_id === null ? '' : `,"device_id":${JSON.stringify(device_id)}`;
    const facts = tags === null ? device : `${device},"tags":${tags}`;
    return readings.map((text) => `${head}${facts}${seq === null ? '' : `,"seq":${seq}`},"data":${text}}`);
  });
}

export function connectionIdOf(replies: readonly Reply[]): string | undefined {
  return replies.find(({ status }) => status === 'identified')?.connection_id;
}

export function disagreements(judged: Judged): Disagreement[] {
  const { broken, plan } = judged;
  const found = [...wrongAnswers(judged), ...wrongRecords(judged)];
  if (broken !== undefined)
    found.push({ kind: 'another answer', connection: plan.number, text: `the connection broke: ${broken}` });
  return found;
}

/** Errors and `alive` come in the order of the lines, so the first that differs tells which line is meant. */
function wrongAnswers({ plan, verdicts, replies }: Judged): Disagreement[] {
  const connection = plan.number;
  const answered = verdicts.flatMap((verdict, line) =>
    verdict.verdict === 'metrics' ? [] : [{ verdict, line }],
  );
  const answers = replies.filter(({ status }) => status !== 'stored');
  const isClosed = verdicts.at(-1)?.closes === true;
  // When the gateway closes the connection, answers to lines that were still waiting may be missing.
  if (isClosed && answers.length > 0 && answers.length < answered.length)
    answered.splice(answers.length - 1, answered.length - answers.length);
  for (let i = 0; i < Math.max(answered.length, answers.length); i++) {
    const expected = answered[i];
    const reply = answers[i];
    const status = expected === undefined ? undefined : STATUS[expected.verdict.verdict];
    const isSame = reply?.status === status && (status !== 'error' || isSameError(expected?.verdict, reply));
    if (isSame) continue;
    const from = (answered[i - 1]?.line ?? -1) + 1;
    const to = expected?.line ?? verdicts.length - 1;
    const text = `the gateway said ${JSON.stringify(reply)}, the reader ${shown(expected?.verdict)} ${linesOf(plan, from, to)}`;
    const kind = kindOf(reply?.status, status, answers.length - answered.length);
    return [{ kind, connection, text }];
  }
  const lastSeq =
    verdicts.findLast(({ verdict, seq }) => verdict === 'metrics' && seq !== null)?.seq ?? undefined;
  const stored = replies.findLast(({ status }) => status === 'stored')?.seq;
  if (stored === lastSeq || isClosed) return [];
  return [{ kind: 'another answer', connection, text: `stored ${stored}, but ${lastSeq} was accepted` }];
}

function kindOf(
  status: string | undefined,
  expected: string | undefined,
  moreAnswers: number,
): Disagreement['kind'] {
  // If both are errors, they may be about different lines. The number of answers tells whose line is missing.
  const more = status === expected ? moreAnswers : status === 'error' ? 1 : -1;
  if (more === 0) return 'another answer';
  return more > 0 ? 'refused, but the reader accepts' : 'accepted, but the reader refuses';
}

function isSameError(verdict: LineVerdict | undefined, reply: Reply | undefined): boolean {
  if (verdict === undefined || reply === undefined) return false;
  return (verdict.code ?? reply.code) === reply.code && (verdict.seq ?? undefined) === reply.seq;
}

function wrongRecords({ plan, verdicts, replies, records }: Judged): Disagreement[] {
  const expected = expectedRecords(verdicts, connectionIdOf(replies) ?? '');
  for (let i = 0; i < Math.max(expected.length, records.length); i++) {
    const record = records[i]?.replace(/"received_at":"[^"]{24}"/, '"received_at":"-"');
    if (record === expected[i]) continue;
    const line = lineOfRecord(verdicts, i);
    const text = `record ${i + 1} of ${records.length} is ${short(record)}, the reader has ${short(expected[i])} ${linesOf(plan, line, line)}`;
    return [{ kind: 'another record', connection: plan.number, text }];
  }
  return [];
}

function lineOfRecord(verdicts: readonly LineVerdict[], record: number): number {
  let left = record;
  return verdicts.findIndex(({ readings }) => {
    left -= readings.length;
    return left < 0;
  });
}

function shown(verdict: LineVerdict | undefined): string {
  if (verdict === undefined) return 'nothing more';
  const { verdict: word, code, seq, why } = verdict;
  return [word, code, seq === null ? '' : `seq ${seq}`, why === '' ? '' : `(${why})`]
    .filter(Boolean)
    .join(' ');
}

const short = (text: string | undefined) =>
  text === undefined ? 'missing' : text.length > SHOWN ? `${text.slice(0, SHOWN)}... (${text.length})` : text;

function linesOf({ bytes }: ConnectionPlan, from: number, to: number): string {
  const lines = bytes
    .toString('latin1')
    .split('\n')
    .slice(from, to + 1);
  const texts = lines.slice(0, 3).map((line) => short(JSON.stringify(line)));
  return `in line ${from + 1}${to > from ? ` to ${to + 1}` : ''}, as Latin-1:\n${texts.map((text) => `    ${text}`).join('\n')}`;
}
