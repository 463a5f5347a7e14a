// Faults of brokers that run, and answer in another way than usual.
import { CODE } from '../../brokers/error-codes.ts';
import { type FaultKind, fault, lastsMs, seconds } from '../fault.ts';
import { METRICS } from '../scene.ts';
import type { Stage } from '../stage.ts';

/** Codes after which the gateway sends the same bytes again, one that no Kafka has among them. */
const TRY_AGAIN = [-1, CODE.notLeader, CODE.requestTimedOut, CODE.notEnoughReplicasAfterAppend, 56, 9999];
/** Codes that do not go away before somebody changes something. */
const LASTING = [CODE.topicAuthorizationFailed, CODE.unsupportedCompression, 44];
const SEQUENCE = [CODE.outOfOrderSequence, CODE.unknownProducerId, CODE.invalidProducerEpoch];
/** Partitions that wait on the disk are tried again only every few minutes. */
const REST_MS = 330_000;
const HOUR_MS = 3_600_000;

/** For a while each batch is answered with this code. */
function answerAll(
  { during, kafka: { brokers } }: Stage,
  answer: { readonly code: number; readonly isWritten: boolean },
  lastsMs: number,
): void {
  during(
    lastsMs,
    () => brokers.answer(METRICS, answer),
    () => brokers.answer(METRICS, undefined),
  );
}

export const ODD_BROKER_FAULTS: readonly FaultKind[] = [
  fault({
    name: 'error-answers',
    weight: 2,
    draw: (random) => ({
      code: random.pick(TRY_AGAIN),
      isWritten: random.chance(0.5),
      lastsMs: lastsMs(random),
    }),
    words: ({ code, isWritten, lastsMs }) =>
      `every batch is ${isWritten ? 'written, and' : 'not written, and'} answered with ${code} for ${seconds(lastsMs)}`,
    play: (stage, { code, isWritten, lastsMs }) => answerAll(stage, { code, isWritten }, lastsMs),
  }),
  fault({
    name: 'lasting-error-answers',
    weight: 1,
    restMs: REST_MS,
    draw: (random) => ({ code: random.pick(LASTING), lastsMs: lastsMs(random) }),
    words: ({ code, lastsMs }) =>
      `no batch is taken, and each is answered with ${code} for ${seconds(lastsMs)}`,
    play: (stage, { code, lastsMs }) => answerAll(stage, { code, isWritten: false }, lastsMs),
  }),
  fault({
    name: 'sequence-refused',
    weight: 1,
    excuses: ['producer-forgotten'],
    draw: (random) => ({ code: random.pick(SEQUENCE), lastsMs: random.pick([50, 300, 3000]) }),
    words: ({ code, lastsMs }) =>
      `no sequence is right, and each is answered with ${code} for ${seconds(lastsMs)}`,
    play: (stage, { code, lastsMs }) => answerAll(stage, { code, isWritten: false }, lastsMs),
  }),
  fault({
    name: 'clocks-of-brokers',
    weight: 1,
    restMs: REST_MS,
    excuses: ['refused-then-ended'],
    draw: (random) => ({ hours: random.pick([-2, -0.5, 2]), lastsMs: lastsMs(random) }),
    words: ({ hours, lastsMs }) => `the clocks of the brokers are ${hours} h ahead for ${seconds(lastsMs)}`,
    play({ during, kafka: { brokers } }, { hours, lastsMs }) {
      during(
        lastsMs,
        () => brokers.skew(hours * HOUR_MS),
        () => brokers.skew(0),
      );
    },
  }),
  fault({
    name: 'retention',
    weight: 1,
    draw: () => ({}),
    words: () => 'Kafka deletes the older half of the topic',
    play({ kafka: { brokers, partitions } }) {
      for (let partition = 0; partition < partitions; partition++)
        brokers.deleteBefore(METRICS, partition, Math.floor(brokers.end(METRICS, partition) / 2));
    },
  }),
  fault({
    name: 'no-producer-ids',
    weight: 1,
    restMs: REST_MS,
    draw: (random) => ({ lastsMs: lastsMs(random) }),
    words: ({ lastsMs }) => `the right IdempotentWrite is taken for ${seconds(lastsMs)}`,
    play({ during, kafka: { brokers } }, { lastsMs }) {
      during(
        lastsMs,
        () => brokers.deny('idempotent-write'),
        () => brokers.allow('idempotent-write'),
      );
    },
  }),
  fault({
    name: 'topic-hidden',
    weight: 1,
    restMs: REST_MS,
    draw: (random) => ({ lastsMs: lastsMs(random) }),
    words: ({ lastsMs }) => `the right Describe on the topic is taken for ${seconds(lastsMs)}`,
    play({ during, kafka: { brokers } }, { lastsMs }) {
      during(
        lastsMs,
        () => brokers.deny('describe', METRICS),
        () => brokers.allow('describe', METRICS),
      );
    },
  }),
  fault({
    name: 'small-requests',
    weight: 1,
    restMs: REST_MS,
    draw: (random) => ({ bytes: random.pick([200_000, 600_000]), lastsMs: lastsMs(random) }),
    words: ({ bytes, lastsMs }) =>
      `the brokers close a connection after a request of more than ${bytes} bytes, for ${seconds(lastsMs)}`,
    play({ during, kafka: { brokers } }, { bytes, lastsMs }) {
      during(
        lastsMs,
        () => brokers.limitRequests(bytes),
        () => brokers.limitRequests(100 * 2 ** 20),
      );
    },
  }),
];
