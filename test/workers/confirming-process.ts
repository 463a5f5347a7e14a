// A process with the device side of a gateway, and a sink that confirms its records 5 ms later. So what a test measures
// is not the cost of Kafka or of a disk. With KAFKA_TAKES_MS it has batches as well, and a Kafka that takes them slowly.
import { createServer } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import type { IdentifiedSession, Session } from '../../src/queue/job.ts';
import { TcpServer } from '../../src/server/tcp-server.ts';
import { createIngest } from '../../src/workers/ingest.ts';
import type { BatchTicket, Reading, RecordSink } from '../../src/workers/record-sink.ts';
import { admitted, CONNECTION } from '../server/stage.ts';
import { testSettings } from '../support/gateway.ts';
import { testLog } from '../support/log.ts';
import { slowKafka } from './slow-kafka.ts';

const CONFIRM_MS = 5;

class ConfirmingSink implements RecordSink {
  readonly maxReadingBytes = 1_000_000;
  readonly #seqs = new Map<Session, number>();
  #timer: NodeJS.Timeout | undefined;

  hasRoom(): boolean {
    return true;
  }

  room(): Promise<boolean> {
    return Promise.resolve(true);
  }

  append(session: IdentifiedSession, { seq, confirms }: Reading): BatchTicket {
    if (confirms && seq >= 0) this.#seqs.set(session, seq);
    this.#timer ??= setTimeout(() => this.#confirm(), CONFIRM_MS);
    return { settled: () => Promise.resolve() };
  }

  #confirm(): void {
    this.#timer = undefined;
    for (const [session, seq] of this.#seqs) session.stored(seq);
    this.#seqs.clear();
  }
}

const log = testLog({ level: 'silent' });
const settings = testSettings({ TCP_WORKER_COUNT: process.env.WORKERS ?? '8' });
const takesMs = Number(process.env.KAFKA_TAKES_MS ?? 0);
const kafka = takesMs > 0 ? slowKafka(() => sleep(takesMs)) : undefined;
const ingest = createIngest(settings, kafka ?? new ConfirmingSink(), {
  ...(kafka && { congestion: kafka.congestion }),
  log,
  dropped: () => {},
});
const server = new TcpServer(CONNECTION, { sink: ingest.sink, budget: ingest.budget, log });
const listener = createServer(
  { allowHalfOpen: true, noDelay: true },
  (socket) => void server.adopt(admitted(socket)),
);
const lag = monitorEventLoopDelay({ resolution: 1 });
ingest.start();
server.start();
lag.enable();
listener.listen(0, '127.0.0.1', () => process.send?.(listener.address()));
process.on('message', () => {
  process.send?.({
    lagP99Ms: lag.percentile(99) / 1e6,
    lagMaxMs: lag.max / 1e6,
    lines: server.counters.linesReceived,
  });
  lag.reset();
});
process.on('disconnect', () => process.exit());
