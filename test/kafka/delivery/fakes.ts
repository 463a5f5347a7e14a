// Fakes for tests of src/kafka: connections that remember what they were told, and a broker whose answers the test
// gives.

import { setImmediate as nextTurn } from 'node:timers/promises';
import { Batch } from '../../../src/kafka/batches/batch.ts';
import type { ProducerIdentity } from '../../../src/kafka/batches/record-batch.ts';
import type { Producer } from '../../../src/kafka/delivery/sender.ts';
import type { ProduceAnswer, ProduceRequest } from '../../../src/kafka/wire/produce-request.ts';
import { RecordFrame, recordTail } from '../../../src/protocol/record-frame.ts';
import type { IdentifiedSession } from '../../../src/queue/job.ts';
import type { Reading } from '../../../src/workers/record-sink.ts';
import { testLog } from '../../support/log.ts';

export const silent = testLog({ level: 'silent' });

export interface FakeSession extends IdentifiedSession {
  /** Every seq that stored() was called with. */
  readonly storedSeqs: number[];
}

export function fakeSession(zipcode = '90210', connectionId = `connection-${zipcode}`): FakeSession {
  const storedSeqs: number[] = [];
  const nothing = () => undefined;
  return {
    storedSeqs,
    id: connectionId,
    remoteAddress: '192.0.2.7',
    deviceId: undefined,
    frame: new RecordFrame({ connectionId, zipcode, city: 'Beverly Hills', deviceId: undefined }),
    partition: -1,
    generation: -1,
    lastSeq: -1,
    resumedSeq: -1,
    lane: undefined,
    identify: nothing,
    accept: nothing,
    refuse: nothing,
    alive: nothing,
    time: nothing,
    warnUnknownField: nothing,
    expectStored: nothing,
    alreadyStored: nothing,
    stored: (seq) => storedSeqs.push(seq),
    done: nothing,
    onRoom: nothing,
  };
}

export function reading(text: string, overrides: Partial<Reading> = {}): Reading {
  const { seq = -1 } = overrides;
  const bytes = Buffer.from(recordTail(seq < 0 ? undefined : seq, text));
  return {
    bytes,
    start: 0,
    end: bytes.length,
    whitespace: 0,
    receivedAtMs: Date.UTC(2026, 10, 21, 8),
    seq,
    confirms: true,
    ...overrides,
  };
}

/** A batch of `count` records of one session, the last of which has `seq`. */
export function batchOf(session: IdentifiedSession, partition: number, count: number, seq = -1): Batch {
  const batch = new Batch(partition, performance.now(), {
    initialBytes: 1024,
    records: count,
    bytes: Infinity,
  });
  for (let i = 0; i < count; i++)
    batch.heldBytes += batch.writer.append(session.frame, reading(`{"n":${i}}`));
  if (seq >= 0) batch.confirm(session, seq);
  return batch;
}

export interface SentRequest {
  readonly nodeId: number;
  readonly request: ProduceRequest;
  /** The batches' bytes as they were when they were sent. */
  readonly bytes: readonly Buffer[];
  answer(answer: ProduceAnswer | undefined): void;
  fail(error: Error): void;
  /** Answers every partition of the request with the same error code. */
  answerAll(errorCode: number): void;
}

/** Keeps each request until the test answers it. */
export class FakeProducer implements Producer {
  readonly sent: SentRequest[] = [];
  /** Producer ids given, newest last. */
  readonly ids: ProducerIdentity[] = [];
  #nextId = 500n;

  produce(nodeId: number, request: ProduceRequest): Promise<ProduceAnswer | undefined> {
    const bytes = request.batches.map((batch) => Buffer.from(batch.bytes));
    return new Promise((resolve, reject) => {
      this.sent.push({
        nodeId,
        request,
        bytes,
        answer: resolve,
        fail: reject,
        answerAll: (errorCode) =>
          resolve({
            throttleMs: 0,
            partitions: request.batches.map(({ partition }) => ({ partition, errorCode, baseOffset: 0n })),
          }),
      });
    });
  }

  initProducerId(): Promise<ProducerIdentity> {
    const id = { producerId: this.#nextId++, producerEpoch: 0 };
    this.ids.push(id);
    return Promise.resolve(id);
  }

  /** Waits until this many requests were sent in all, and returns the last of them. */
  async request(number: number): Promise<SentRequest> {
    await until(() => this.sent.length >= number, `request ${number}`);
    return this.sent[number - 1] as SentRequest;
  }
}

export async function until(condition: () => boolean, what: string, deadlineMs = 5_000): Promise<void> {
  const deadline = performance.now() + deadlineMs;
  while (!condition()) {
    if (performance.now() > deadline) throw new Error(`${what}: not so after ${deadlineMs} ms`);
    await nextTurn();
  }
}

/** Lets everything that is due happen, before a test asserts that something did not. */
export async function turns(count = 20): Promise<void> {
  for (let i = 0; i < count; i++) await nextTurn();
}
