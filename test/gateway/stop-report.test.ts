// The last line of the log.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { logStopped } from '../../src/gateway/stop-report.ts';
import { nothingToStop, type StopResult } from '../../src/gateway/stop-result.ts';
import { recordedLog } from '../support/log.ts';

function lastLine(result: Partial<Omit<StopResult, 'records'>>, records: Partial<StopResult['records']>) {
  const { log, lines } = recordedLog();
  const nothing = nothingToStop();
  logStopped({ ...nothing, ...result, records: { ...nothing.records, ...records } }, log);
  return lines[0];
}

it('a stop ends with the balance, and says that nothing waits', () => {
  const line = lastLine({}, { accepted: 12_000, confirmed: 12_000 });
  assert.equal(
    line?.msg,
    'stopped: 12,000 readings accepted, 12,000 confirmed by Kafka, 0 in the spool. Nothing waits',
  );
  assert.deepEqual([line?.level, line?.event], [30, 'stopped']);
  const { accepted, spooled } = (line?.balance ?? {}) as Partial<StopResult['records']>;
  assert.deepEqual([accepted, spooled], [12_000, 0]);
});

it('a stop with records in the spool says how many, how large, and what becomes of them', () => {
  const records = { accepted: 10, recovered: 3, confirmed: 4, deadLettered: 1, spooled: 8 };
  assert.equal(
    lastLine({ spoolBytes: 2_097_152 }, records)?.msg,
    'stopped: 10 readings accepted, 3 found in the spool at the start, 1 refused by Kafka and kept as dead letters, ' +
      '4 confirmed by Kafka, 8 in the spool. What is in the spool (SPOOL_DIR, 2.0 MiB) is sent after the next start, ' +
      'or now by `sluice spool drain`',
  );
});

it('a stop that loses readings is an error that says so, why, and that none was told `stored`', () => {
  const lost = { complete: false, unconfirmed: 9837 } as const;
  const full = lastLine(
    { ...lost, refusal: 'SPOOL_MAX_BYTES is reached' },
    { accepted: 10_000, spooled: 163 },
  );
  assert.match(
    full?.msg ?? '',
    /^stopped hard: 9,837 accepted readings were lost, because the spool did not take them \(SPOOL_MAX_BYTES is reached\)\. No device was told `stored` for any of them.*163 in the spool/,
  );
  assert.deepEqual([full?.level, full?.unconfirmed], [50, 9837]);
  assert.match(lastLine(lost, {})?.msg ?? '', /because SHUTDOWN_TIMEOUT passed/);
  const unknown = lastLine({ complete: false, unconfirmed: 'unknown' }, { accepted: 7 });
  assert.match(unknown?.msg ?? '', /^stopped hard: a server process.*may be lost.*7 readings accepted/);
});
