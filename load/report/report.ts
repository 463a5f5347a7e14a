// The report of a run as text: tables and a verdict. No I/O.

import { printable } from '../../src/config/printable.ts';
import { table } from '../../src/config/text-table.ts';
import type { LatencySummary } from './histogram.ts';
import { isUnknown, type Latencies, type LoadResult, type StepResult } from './result.ts';

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const ms = (value: number | undefined): string => value?.toFixed(value < 10 ? 2 : 1) ?? '-';

/** Ends with a line end. */
export function reportText(result: LoadResult): string {
  const { steps } = result;
  const parts = [
    ...(steps === undefined ? [] : [stepsText(steps, result)]),
    countsText(result),
    latencyText(result.latencyMs),
    readBackText(result),
    othersText(result),
    verdictText(result),
  ];
  return `\n${parts.filter((part) => part !== '').join('\n')}`;
}

/** One step as one line. */
export function stepLine({ rate, latencyMs, why }: StepResult): string {
  const p99 = `p99 ${ms(latencyMs.confirmed?.p99)} ms confirmed, ${ms(latencyMs.consumed?.p99)} ms consumed`;
  return `${whole(rate)}/s: ${p99}: ${why.length === 0 ? 'passed' : why.join('; ')}`;
}

function stepsText(steps: readonly StepResult[], { highestRate = 0, plan }: LoadResult): string {
  const rows = steps.map(({ rate, sentPerSecond, latencyMs, lost, wrong, why }) => [
    whole(rate),
    whole(sentPerSecond),
    ms(latencyMs.confirmed?.p50),
    ms(latencyMs.confirmed?.p99),
    ms(latencyMs.consumed?.p50),
    ms(latencyMs.consumed?.p99),
    whole(lost),
    whole(wrong),
    why.length === 0 ? 'passed' : why.join('; '),
  ]);
  const head = 'asked/s,sent/s,confirmed p50,p99,consumed p50,p99 ms,lost,wrong,step'.split(',');
  const stated =
    highestRate > 0
      ? `Highest rate with p99 within ${plan.maxP99Ms} ms and nothing lost: ${whole(highestRate)} messages/s. Its latencies are those below.`
      : `No step stayed within p99 of ${plan.maxP99Ms} ms with nothing lost.`;
  return `${table([head, ...rows], ['step'])}${stated}\n`;
}

function countsText(result: LoadResult): string {
  const { counts, plan, seconds, interrupted } = result;
  const cpuUs = (result.loadCpuSeconds * 1e6) / Math.max(1, counts.lines);
  const rows: [string, string, string][] = [
    ['sent', whole(counts.messages), `${whole(result.sentPerSecond)}/s over ${seconds.toFixed(2)} s`],
  ];
  if (plan.seq) {
    rows.push(['confirmed', whole(counts.confirmed), `${whole(result.confirmedPerSecond)}/s`]);
    if (counts.unconfirmed > 0) rows.push(['never confirmed', whole(counts.unconfirmed), '']);
    if (counts.unanswered > 0)
      rows.push(['cut off', whole(counts.unanswered), 'their connection ended before a reply']);
  }
  if (counts.refused > 0) rows.push(['refused', whole(counts.refused), '']);
  if (counts.unsent > 0)
    rows.push(['not sent in time', whole(counts.unsent), 'due, but not sent before the end of the load']);
  if (counts.bad > 0)
    rows.push(['bad lines', whole(counts.bad), `${whole(counts.badRefused)} refused with the right code`]);
  rows.push(['bytes', whole(counts.bytes), `load CPU ${cpuUs.toFixed(2)} us a line`]);
  rows.push(['connections', whole(counts.connects), `${whole(counts.breaks)} broken`]);
  const early = interrupted ? 'Ended early.\n' : '';
  return early + table([['messages', 'count', ''], ...rows], ['messages', '']);
}

function latencyText({ confirmed, consumed, written }: Latencies): string {
  const row = (name: string, summary: LatencySummary | undefined): string[][] => {
    if (summary === undefined) return [];
    const { p50, p95, p99, p999, max } = summary;
    return [[name, ...[p50, p95, p99, p999, max].map(ms)]];
  };
  const head = ['ms from due to', 'p50', 'p95', 'p99', 'p99.9', 'max'];
  const rows = [...row('socket', written), ...row('confirmed', confirmed), ...row('consumer', consumed)];
  return table([head, ...rows], ['ms from due to']);
}

function readBackText({ readBack, readings, plan }: LoadResult): string {
  if (readBack === undefined) return 'NOTHING WAS READ BACK: it is not known which readings are in Kafka.\n';
  const { delivered, lost, duplicated, reordered, corrupted, invented, foreign } = readBack;
  const missing = readBack.unread === undefined ? { lost } : { 'not read': lost };
  const rows = Object.entries({ delivered, ...missing, duplicated, reordered, corrupted, invented }).map(
    ([kind, count]) => [kind, whole(count), (readBack.examples[kind] ?? []).map(printable).join('; ')],
  );
  if (readBack.unansweredMissing > 0)
    rows.push(['cut off', whole(readBack.unansweredMissing), 'not in Kafka, and never confirmed']);
  if (foreign > 0) rows.push(['of others', whole(foreign), '']);
  const title = `${whole(readings)} readings sent, ${plan.topic} read back`;
  return `${title}\n${table([['readings', 'count', ''], ...rows], ['readings', ''])}`;
}

function othersText({ codes, errors }: LoadResult): string {
  const rows = [
    ...Object.entries(codes).map(([code, times]) => ['answer', printable(code), whole(times)]),
    ...Object.entries(errors).map(([code, times]) => ['socket error', printable(code), whole(times)]),
  ];
  return rows.length === 0 ? '' : table([['kind', 'code', 'times'], ...rows], ['kind', 'code']);
}

function verdictText(result: LoadResult): string {
  const { faults, readBack } = result;
  if (isUnknown(result)) return `LOSS UNKNOWN: Kafka could not be read: ${readBack?.unread}.\n`;
  if (faults.length > 0) return `FAILED: ${faults.join('; ')}.\n`;
  return readBack === undefined
    ? 'The devices saw no fault. The topic was not read back.\n'
    : 'OK: nothing lost, duplicated, reordered or corrupted.\n';
}
