// Plays the cases against a real gateway over real sockets, and reads back its records. The long times of cases and gateway
// are shortened.
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Device, type Reply } from '../../support/device.ts';
import { type Env, startGateway } from '../../support/gateway.ts';
import { spoolRecords } from '../../support/spool-records.ts';
import { bytesOf, type Case } from './cases.ts';

export interface Outcome {
  /** Code or status of each reply. */
  readonly replies: readonly string[];
  readonly isClosed: boolean;
  /** The values of its records. */
  readonly records: readonly string[];
}

const LONG_SECONDS = 1;
const IDENTIFY_TIMEOUT = '2s';
/** In place of its default. TCP_COMPATIBILITY=go has no such default, so there the setting is left out. */
const LINE_TIMEOUT = '1500ms';
/** A device that is slow with a line waits for as long as that, longer than LINE_TIMEOUT. */
const SLOW_MS = 2500;
/** The gateway may close so late: it does not count a time in which its process stood still. */
const LATE_MS = 10_000;
/** The seq of a line that is always refused, and closes nothing. Its answer shows that no other is due, and that the connection is open. */
const PROBE = 987_654_321;

/** The outcome of each case, in their order. */
export async function play(cases: readonly Case[], env: Env): Promise<Outcome[]> {
  const spool = mkdtempSync(join(tmpdir(), 'sluice-old-server-'));
  try {
    const isGo = env.TCP_COMPATIBILITY === 'go';
    const times = {
      TCP_IDENTIFY_TIMEOUT: IDENTIFY_TIMEOUT,
      ...(!isGo && { TCP_LINE_TIMEOUT: LINE_TIMEOUT }),
    };
    const gateway = await startGateway({ ...times, ...env, SPOOL_DIR: spool });
    const slowMs = isGo ? SLOW_MS : LATE_MS;
    const played = await Promise.all(cases.map((one) => playCase(gateway.port, one, slowMs))).finally(
      gateway.stop,
    );
    const records = await spoolRecords(spool);
    const values = records.map(({ value }) => value?.toString() ?? '');
    return played.map(({ id, ...outcome }) => ({
      ...outcome,
      records: values.filter((value) => id !== undefined && value.includes(id)),
    }));
  } finally {
    await rm(spool, { recursive: true, force: true });
  }
}

async function playCase(port: number, { steps }: Case, slowMs: number) {
  const device = await Device.connect(port);
  for (const step of steps) {
    const { sleepSeconds = 0, fin } = step;
    if (sleepSeconds > LONG_SECONDS) await Promise.race([sleep(slowMs), once(device.socket, 'end')]);
    else if (sleepSeconds > 0) await sleep(1000 * sleepSeconds);
    else if (fin === true) device.halfClose();
    else device.send(bytesOf(step));
  }
  const isProbed = steps.length > 0 && !steps.some(({ fin }) => fin);
  if (isProbed) device.send(`{"type":"probe","seq":${PROBE}}\n`);
  const replies: Reply[] = [];
  let isClosed = false;
  for (;;) {
    const line = await device.readLine().catch(() => undefined);
    isClosed = line === undefined;
    if (line === undefined) break;
    const reply = JSON.parse(line) as Reply;
    if (reply.seq === PROBE) break;
    replies.push(reply);
  }
  device.destroy();
  return {
    id: replies.find(({ status }) => status === 'identified')?.connection_id,
    replies: replies.map(({ code, status }) => code ?? status),
    isClosed,
  };
}
