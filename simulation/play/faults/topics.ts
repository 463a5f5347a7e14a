// Faults of the readings topic: its number of partitions, its limits, and the records that it takes.
import { type FaultKind, fault, lastsMs, seconds } from '../fault.ts';

export const TOPIC_FAULTS: readonly FaultKind[] = [
  fault({
    name: 'topic-deleted',
    weight: 1,
    excuses: ['topic-recreated'],
    draw: () => ({}),
    words: () => 'the topic is deleted',
    play: ({ kafka }) => kafka.deleteTopic(),
  }),
  fault({
    name: 'topic-recreated',
    weight: 2,
    excuses: ['topic-recreated'],
    draw: (_random, { partitions }) => ({ partitions }),
    words: ({ partitions }) => `the topic is deleted and created again with ${partitions} partitions`,
    play: ({ kafka }, { partitions }) => kafka.recreateTopic(partitions),
  }),
  fault({
    name: 'topic-fewer',
    weight: 3,
    excuses: ['topic-recreated', 'fewer-partitions'],
    fits: ({ partitions }) => partitions > 1,
    draw: (random, { partitions }) => ({ partitions: random.between(1, partitions - 1) }),
    words: ({ partitions }) => `the topic is created again with ${partitions} partitions only`,
    play: ({ kafka }, { partitions }) => kafka.recreateTopic(partitions),
  }),
  fault({
    name: 'topic-more',
    weight: 2,
    draw: (random) => ({ more: random.between(1, 3) }),
    words: ({ more }) => `the topic gets ${more} more partitions`,
    play: ({ kafka }, { more }) => kafka.addPartitions(more),
  }),
  fault({
    name: 'topic-compacted',
    weight: 1,
    draw: () => ({}),
    words: () => 'the topic is compacted',
    play: ({ kafka }) => kafka.compact(),
  }),
  fault({
    name: 'limit-lowered',
    weight: 2,
    restMs: 330_000,
    excuses: ['refused-then-ended'],
    draw: (random) => ({ bytes: random.pick([300, 1_000, 4_000]), lastsMs: lastsMs(random) }),
    words: ({ bytes, lastsMs }) => `max.message.bytes=${bytes} for ${seconds(lastsMs)}`,
    play: (stage, { bytes, lastsMs }) =>
      stage.topicSetting('max.message.bytes', { during: String(bytes), after: '1048588' }, lastsMs),
  }),
  fault({
    name: 'old-refused',
    weight: 1,
    restMs: 330_000,
    excuses: ['refused-then-ended'],
    draw: (random) => ({ beforeMs: random.pick([1_000, 5_000, 30_000]), lastsMs: lastsMs(random) }),
    words: ({ beforeMs, lastsMs }) => `message.timestamp.before.max.ms=${beforeMs} for ${seconds(lastsMs)}`,
    play: (stage, { beforeMs, lastsMs }) =>
      stage.topicSetting(
        'message.timestamp.before.max.ms',
        { during: String(beforeMs), after: '9223372036854775807' },
        lastsMs,
      ),
  }),
  fault({
    name: 'records-refused',
    weight: 3,
    restMs: 330_000,
    excuses: ['refused-then-ended'],
    draw: (random) => ({ oneIn: random.pick([1, 2, 20, 200]), lastsMs: lastsMs(random) }),
    words: ({ oneIn, lastsMs }) =>
      `Kafka refuses ${oneIn === 1 ? 'every record' : `one record in ${oneIn}`} for ${seconds(lastsMs)}`,
    play({ during, kafka }, { oneIn, lastsMs }) {
      during(
        lastsMs,
        () => kafka.refuseRecords(oneIn),
        () => kafka.takeRecords(),
      );
    },
  }),
];
