// The last line of the log: the balance of all records, those that wait in the spool, and those that were lost.
import { bytesText, countText } from '../config/amounts.ts';
import type { Log } from '../log/log.ts';
import type { StopResult } from './stop-result.ts';

/** Each number of the balance that may be left out if it is 0, in words. */
const SELDOM = [
  ['recovered', 'found in the spool at the start'],
  ['deadLettered', 'refused by Kafka and kept as dead letters'],
  ['damaged', 'damaged on disk'],
  ['abandoned', 'not confirmed when their process crashed'],
] as const;

export function logStopped(result: StopResult, log: Log): void {
  const { complete, unconfirmed, refusal, spoolBytes } = result;
  // Records that are open or in flight at the end are in `unconfirmed`.
  const { open: _, inFlight: __, ...records } = result.records;
  const fields = { summary: summaryOf(result), balance: { ...records, spoolBytes } };
  if (complete) log.write('stopped', fields);
  else if (unconfirmed === 'unknown') log.write('stopped_hard_unknown', fields);
  else {
    const why = refusal === null ? 'SHUTDOWN_TIMEOUT passed' : `the spool did not take them (${refusal})`;
    log.write('stopped_hard', { unconfirmed, why, ...fields });
  }
}

function summaryOf({ records, spoolBytes }: StopResult): string {
  const counted = (count: number, what: string) => `${countText(count)} ${what}`;
  const parts = [
    counted(records.accepted, 'readings accepted'),
    ...SELDOM.flatMap(([name, what]) => (records[name] === 0 ? [] : counted(records[name], what))),
    counted(records.confirmed, 'confirmed by Kafka'),
    counted(records.spooled, 'in the spool'),
  ];
  const waits =
    records.spooled === 0
      ? 'Nothing waits'
      : `What is in the spool (SPOOL_DIR, ${bytesText(spoolBytes)}) is sent after the next start, or now by \`sluice spool drain\``;
  return `${parts.join(', ')}. ${waits}`;
}
