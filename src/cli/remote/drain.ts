// `sluice drain`: asks a gateway to drain, and with --wait follows the drain to its end. It announces the stop first.
import { setTimeout as pause } from 'node:timers/promises';
import { timeText } from '../../config/amounts.ts';
import { confirm } from '../confirm.ts';
import { say } from '../output.ts';
import type { AdminClient } from './client.ts';
import { RemoteError } from './failure.ts';
import { numberIn, objectIn } from './fields.ts';
import { withGateway } from './open-client.ts';
import type { DrainWish } from './options.ts';

const LOOK_EVERY_MS = 500;
/** A single look may fail although the gateway is there. */
const FAILED_LOOKS = 3;

export function runDrain(wish: DrainWish): Promise<number> {
  return withGateway(wish, (client) => drain(client, wish));
}

async function drain(client: AdminClient, { yes, wait, timeout }: DrainWish): Promise<number> {
  const { connected, uptimeSeconds } = await look(client);
  say(
    `${client.origin} has ${devices(connected)} and has run for ${timeText(uptimeSeconds * 1000)}. Drained, it tells them to go over SHUTDOWN_SPREAD, sends its records to Kafka or keeps them in the spool, and ends. It comes back only if something starts it again`,
  );
  const question = `Drain ${client.origin}?`;
  const refusal = await confirm({ question, unchanged: 'nothing was changed', yes });
  if (refusal !== undefined) return refusal;
  await client.post('/drain', {});
  say('the gateway drains now');
  return wait ? end(client, { timeout, uptimeSeconds }) : 0;
}

interface Since {
  readonly timeout: number;
  readonly uptimeSeconds: number;
}

/** Until it no longer answers, or another start of it does. */
async function end(client: AdminClient, { timeout, uptimeSeconds }: Since): Promise<number> {
  const startedMs = performance.now();
  let failed = 0;
  let last = -1;
  while (performance.now() - startedMs < timeout) {
    await pause(LOOK_EVERY_MS);
    const now = await look(client).catch((error: unknown) => {
      if (error instanceof RemoteError) return undefined;
      throw error;
    });
    failed = now === undefined ? failed + 1 : 0;
    const isOver = failed === FAILED_LOOKS || (now !== undefined && now.uptimeSeconds < uptimeSeconds);
    if (isOver) {
      say(
        `the gateway has ended after ${timeText(performance.now() - startedMs)}; its log has the balance of its readings`,
      );
      return 0;
    }
    if (now !== undefined && now.connected !== last) {
      last = now.connected;
      say(`${devices(last)} left`);
    }
  }
  say(`the gateway has not ended within ${timeText(timeout)}; it drains on`);
  return 1;
}

async function look(client: AdminClient): Promise<{ connected: number; uptimeSeconds: number }> {
  const { body } = await client.get('/stats');
  const { connections, uptimeSeconds } = objectIn(body);
  return { connected: numberIn(objectIn(connections).active), uptimeSeconds: numberIn(uptimeSeconds) };
}

function devices(count: number): string {
  return count === 1 ? '1 device' : `${count} devices`;
}
