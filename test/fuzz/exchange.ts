// One connection from its first byte to its end: writes the pieces of a plan, ends its side, and keeps every reply.
import { once } from 'node:events';
import { connect } from 'node:net';
import { setImmediate as turn } from 'node:timers/promises';
import { connectOverTls } from '../../load/devices/tls.ts';
import type { Target } from '../../load/plan.ts';
import type { Reply } from '../support/device.ts';
import type { ConnectionPlan } from './connection-plan.ts';
import { onLines } from './lines-of.ts';

const DEADLINE_MS = 120_000;

export interface Exchange {
  readonly replies: readonly Reply[];
  /** Why the connection did not end with the server's FIN. */
  readonly broken: string | undefined;
}

export async function exchange(
  { host, port, tls }: Target,
  { bytes, cuts }: ConnectionPlan,
): Promise<Exchange> {
  const how = { host, port, allowHalfOpen: true, noDelay: true };
  const socket = tls === undefined ? connect(how) : connectOverTls(tls, how);
  const replies: Reply[] = [];
  let broken: string | undefined;
  let hasEnded = false;
  onLines(socket, (line) => replies.push(JSON.parse(line) as Reply));
  socket.on('error', (error) => {
    broken = error.message;
  });
  const end = Promise.race([once(socket, 'end'), once(socket, 'close')])
    .catch(() => {})
    .then(() => {
      hasEnded = true;
    });
  const timer = setTimeout(() => socket.destroy(new Error(`no end within ${DEADLINE_MS} ms`)), DEADLINE_MS);
  let from = 0;
  for (const to of cuts) {
    if (hasEnded) break;
    if (!socket.write(bytes.subarray(from, to)))
      await Promise.race([once(socket, 'drain').catch(() => {}), end]);
    // Without a turn in between, the pieces would leave together.
    await turn();
    from = to;
  }
  if (!hasEnded) socket.end();
  await end;
  clearTimeout(timer);
  socket.destroy();
  return { replies, broken };
}
