// One device that measures round trips. It sends at fixed times, however slow the server is, so that a stall counts
// in every round trip that was due during the stall.
import { setTimeout as sleep } from 'node:timers/promises';
import { DeviceSocket } from '../../load/devices/device-socket.ts';
import type { Reply } from '../../load/devices/replies.ts';
import { Histogram, type LatencySummary } from '../../load/report/histogram.ts';

export type ProbeKind = 'keepalive' | 'confirmed';

export interface ProbeOptions {
  readonly host: string;
  readonly port: number;
  readonly kind: ProbeKind;
  readonly count: number;
  /** Milliseconds from the start of one round trip to the next. */
  readonly intervalMs: number;
}

const REPLY_TIMEOUT_MS = 10_000;
const POLL_MS = 5;
const IDENTIFY = '{"type":"identify","zipcode":"10001","city":"Probeville"}\n';

/** Rejects if a reply is not the expected one or does not come within 10 s. */
export async function probe({ host, port, kind, count, intervalMs }: ProbeOptions): Promise<LatencySummary> {
  const histogram = new Histogram();
  const due: number[] = [];
  let answered = 0;
  let identified = false;
  let problem: Error | undefined;
  const onReply = ({ status, code, seq }: Reply) => {
    if (status === 'identified') {
      identified = true;
      return;
    }
    if (status !== (kind === 'keepalive' ? 'alive' : 'stored')) {
      problem = new Error(`the server answered ${status} ${code ?? ''}`);
      return;
    }
    // A confirmation covers all messages up to its seq. Each keepalive has its own reply.
    const upTo = kind === 'keepalive' ? answered + 1 : (seq ?? 0) + 1;
    const nowMs = performance.now();
    for (; answered < upTo; answered++) histogram.record((nowMs - (due[answered] ?? nowMs)) * 1000);
  };
  const socket = new DeviceSocket(
    { host, port, localAddress: undefined, slow: false },
    {
      connected: () => socket.write(IDENTIFY),
      reply: onReply,
      room: () => {},
      failed: (code) => {
        problem ??= new Error(`the connection failed (${code})`);
      },
      closed: () => {
        problem ??= new Error('the server closed the connection');
      },
    },
  );
  const until = async (isDone: () => boolean, what: string) => {
    const deadline = performance.now() + REPLY_TIMEOUT_MS;
    while (problem === undefined && !isDone()) {
      if (performance.now() > deadline) throw new Error(`not within ${REPLY_TIMEOUT_MS} ms: ${what}`);
      await sleep(POLL_MS);
    }
    if (problem !== undefined) throw problem;
  };
  try {
    await until(() => identified, 'a reply to identify');
    const startMs = performance.now();
    for (let number = 0; number < count; number++) {
      const dueMs = startMs + number * intervalMs;
      // A timer may fire a little early.
      while (performance.now() < dueMs) await sleep(Math.max(1, dueMs - performance.now()));
      due.push(dueMs);
      socket.write(lineOf(kind, number));
    }
    await until(() => answered >= count, `replies to all ${count}`);
    return histogram.summary();
  } finally {
    socket.destroy();
  }
}

const lineOf = (kind: ProbeKind, number: number): string =>
  kind === 'keepalive'
    ? '{"type":"keepalive"}\n'
    : `{"type":"metrics","seq":${number},"data":{"temperature":21.5,"probe":${number}}}\n`;
