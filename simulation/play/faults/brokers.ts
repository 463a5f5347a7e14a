// Faults of brokers: those that die, stop or lose the lead, and those that refuse for a while.
import { type FaultKind, fault, lastsMs, seconds } from '../fault.ts';
import type { Scene } from '../scene.ts';

const isSeveral = ({ brokers }: Scene) => brokers > 1;

export const BROKER_FAULTS: readonly FaultKind[] = [
  fault({
    name: 'broker-kill',
    weight: 4,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers), lastsMs: lastsMs(random) }),
    words: ({ node, lastsMs }) => `broker ${node} is killed, and started after ${seconds(lastsMs)}`,
    play: (stage, { node, lastsMs }) => stage.killBrokers([node], lastsMs),
  }),
  fault({
    name: 'broker-stop',
    weight: 2,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers), lastsMs: lastsMs(random) }),
    words: ({ node, lastsMs }) => `broker ${node} stops in order, and is started after ${seconds(lastsMs)}`,
    play({ during, kafka: { brokers } }, { node, lastsMs }) {
      during(
        lastsMs,
        () => brokers.stop(node),
        () => void brokers.start(node),
      );
    },
  }),
  fault({
    name: 'broker-freeze',
    weight: 3,
    draw: (random, { brokers }) => ({ node: random.between(1, brokers), lastsMs: lastsMs(random) }),
    words: ({ node, lastsMs }) => `broker ${node} is stopped (SIGSTOP) for ${seconds(lastsMs)}`,
    play({ during, kafka: { brokers } }, { node, lastsMs }) {
      during(
        lastsMs,
        () => brokers.freeze(node),
        () => brokers.thaw(node),
      );
    },
  }),
  fault({
    name: 'broker-isolated',
    weight: 2,
    fits: isSeveral,
    draw: (random) => ({ node: random.between(1, 3), lastsMs: lastsMs(random) }),
    words: ({ node, lastsMs }) => `broker ${node} does not reach the other brokers for ${seconds(lastsMs)}`,
    play({ during, kafka: { brokers } }, { node, lastsMs }) {
      during(
        lastsMs,
        () => brokers.isolate(node),
        () => brokers.rejoin(node),
      );
    },
  }),
  fault({
    name: 'too-few-replicas',
    weight: 3,
    fits: isSeveral,
    draw: (random) => ({ left: random.between(1, 3), lastsMs: lastsMs(random) }),
    words: ({ left, lastsMs }) => `only broker ${left} is left for ${seconds(lastsMs)}`,
    play(stage, { left, lastsMs }) {
      const others = stage.kafka.brokers.nodeIds.filter((node) => node !== left);
      stage.killBrokers(others, lastsMs);
    },
  }),
  fault({
    name: 'leader-moves',
    weight: 3,
    fits: isSeveral,
    draw: (random, { partitions }) => ({
      partition: random.between(0, partitions - 1),
      to: random.between(1, 3),
    }),
    words: ({ partition, to }) => `broker ${to} becomes the leader of partition ${partition}`,
    play: ({ kafka }, { partition, to }) => kafka.moveLeader(partition, to),
  }),
  fault({
    name: 'quota',
    weight: 3,
    // A broker reads nothing for as long as the bytes that came before would have needed.
    restMs: 330_000,
    isCalm: true,
    draw: (random) => ({ bytesPerSecond: random.pick([5_000, 20_000, 100_000]), lastsMs: lastsMs(random) }),
    words: ({ bytesPerSecond, lastsMs }) =>
      `a quota of ${bytesPerSecond} bytes a second for ${seconds(lastsMs)}`,
    play({ during, kafka: { brokers } }, { bytesPerSecond, lastsMs }) {
      during(
        lastsMs,
        () => brokers.quota(bytesPerSecond),
        () => brokers.quota(Number.POSITIVE_INFINITY),
      );
    },
  }),
  fault({
    name: 'login-refused',
    weight: 3,
    fits: ({ loginLastsMs }) => loginLastsMs !== undefined,
    draw: (random) => ({ lastsMs: lastsMs(random) }),
    words: ({ lastsMs }) => `logins are refused for ${seconds(lastsMs)}`,
    play({ during, kafka }, { lastsMs }) {
      during(
        lastsMs,
        () => kafka.refuseLogins(true),
        () => kafka.refuseLogins(false),
      );
    },
  }),
  fault({
    name: 'producers-forgotten',
    weight: 1,
    excuses: ['producer-forgotten'],
    draw: () => ({}),
    words: () => 'the brokers forget all producers',
    play: ({ kafka }) => kafka.brokers.expireProducerIds(),
  }),
  fault({
    name: 'rights-taken',
    weight: 1,
    restMs: 330_000,
    draw: (random) => ({ lastsMs: lastsMs(random) }),
    words: ({ lastsMs }) => `the right to write is taken for ${seconds(lastsMs)}`,
    play({ during, kafka }, { lastsMs }) {
      during(
        lastsMs,
        () => kafka.denyWrite(true),
        () => kafka.denyWrite(false),
      );
    },
  }),
  fault({
    name: 'cluster-wiped',
    weight: 1,
    excuses: ['another-cluster'],
    draw: () => ({}),
    words: () => 'another cluster, which is empty, answers behind the same addresses',
    play: ({ kafka }) => void kafka.wipe(),
  }),
];
