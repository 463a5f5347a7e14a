// One device that asks and waits: round trips at fixed times, whatever the server does, so that a stall is charged
// to every one that was due meanwhile.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReplyReader } from '../../load/devices/replies.ts';
import { Histogram, type LatencySummary } from '../../load/report/histogram.ts';

export type ProbeKind = 'keepalive' | 'confirmed';

export interface ProbeOptions {
  readonly host: string;
  readonly port: number;
  readonly kind: ProbeKind;
  readonly count: number;
  /** Milliseconds from one round trip's begin to the next. */
  readonly intervalMs: number;
}

const ANSWER_TIMEOUT_MS = 10_000;
const POLL_MS = 5;

/** Rejects where an answer is another one than expected, or does not come within 10 s. */
export async function probe({ host, port, kind, count, intervalMs }: ProbeOptions): Promise<LatencySummary> {
  const histogram = new Histogram();
  const due: number[] = [];
  let answered = 0;
  let problem: Error | undefined;
  let identified = (): void => {};
  const reader = new ReplyReader(({ status, code, seq }) => {
    if (status === 'identified') return identified();
    if (status !== (kind === 'keepalive' ? 'alive' : 'stored')) {
      problem = new Error(`the server answered ${status} ${code ?? ''}`);
      return;
    }
    // Confirmations are cumulative, keepalives are answered one by one.
    const upTo = kind === 'keepalive' ? answered + 1 : (seq ?? 0) + 1;
    const nowMs = performance.now();
    for (; answered < upTo; answered++) histogram.record((nowMs - (due[answered] ?? nowMs)) * 1000);
  });
  const socket = connect({ host, port, noDelay: true });
  socket.setEncoding('utf8').on('data', (text: string) => reader.push(text));
  await once(socket, 'connect');
  socket.on('close', () => {
    problem ??= new Error('the server closed the connection');
  });
  socket.on('error', () => {});
  try {
    const known = new Promise<void>((resolve) => {
      identified = resolve;
    });
    socket.write('{"type":"identify","zipcode":"10001","city":"Probeville"}\n');
    await known;
    await sendAll(socket, { kind, count, intervalMs, due });
    const deadline = performance.now() + ANSWER_TIMEOUT_MS;
    while (answered < count && problem === undefined && performance.now() < deadline) await sleep(POLL_MS);
    if (problem !== undefined) throw problem;
    if (answered < count) throw new Error(`${answered} of ${count} were answered`);
    return histogram.summary();
  } finally {
    socket.destroy();
  }
}

async function sendAll(
  socket: Socket,
  { kind, count, intervalMs, due }: Pick<ProbeOptions, 'kind' | 'count' | 'intervalMs'> & { due: number[] },
): Promise<void> {
  const startMs = performance.now();
  for (let number = 0; number < count; number++) {
    const dueMs = startMs + number * intervalMs;
    // A timer may fire a little early.
    while (performance.now() < dueMs) await sleep(Math.max(1, dueMs - performance.now()));
    due.push(dueMs);
    socket.write(lineOf(kind, number));
  }
}

const lineOf = (kind: ProbeKind, number: number): string =>
  kind === 'keepalive'
    ? '{"type":"keepalive"}\n'
    : `{"type":"metrics","seq":${number},"data":{"temperature":21.5,"probe":${number}}}\n`;
