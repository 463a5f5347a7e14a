// The table of the scenarios that compare two servers. A new comparison is a new entry.
import { fileURLToPath } from 'node:url';
import type { PairShape } from './pair.ts';

export interface Pair {
  readonly name: string;
  /** First and second server, in words. */
  readonly about: string;
  readonly shape: PairShape;
  /** Factor for the measured time. Absent: 1. */
  readonly times?: number;
  /** Turns of each server. Absent: 2. */
  readonly turns?: number;
  /** Messages a second of each server. Absent: at full speed. */
  readonly perSecond?: number;
}

/** One message at a time, each in its own request, like the system that Sluice replaces. */
const ONE_AT_A_TIME = { TCP_USE_WORKER_POOL: 'false', KAFKA_ASYNC: 'false', KAFKA_BATCH_SIZE: '1' } as const;
const KAFKAJS_SERVER = fileURLToPath(new URL('../servers/baseline-kafkajs.js', import.meta.url));
const WITHOUT_FIGURES = fileURLToPath(new URL('../servers/without-figures.js', import.meta.url));
/** In many turns: a ratio of CPU times is shaken by other work. */
const LINE_TURNS = 8;
const LOW_RATE = 2_000;
const FAR_MS = 100;
const NEAR_MS = 1;
/** Longer, because a turn ends with a round trip in which nothing is sent. */
const FAR_DEVICE_TIMES = 2;
/** Long and in many turns, because the difference is small. */
const FIGURES_TIMES = 4;
const FIGURES_TURNS = 16;
/** Much longer: here a turn ends with several, until the fullest partition is empty. */
const FAR_KAFKA_TIMES = 8;

export const PAIRS: readonly Pair[] = [
  {
    name: 'kafkajs',
    about: 'the gateway, against the same server with kafkajs `send()` instead of its own batches',
    shape: [{ name: 'own batches' }, { name: 'kafkajs send()', main: KAFKAJS_SERVER }],
  },
  {
    name: 'one-at-a-time',
    about:
      'the gateway, against one message at a time (no worker pool, KAFKA_ASYNC=false, KAFKA_BATCH_SIZE=1)',
    shape: [{ name: 'worker pool' }, { name: 'one at a time', settings: ONE_AT_A_TIME }],
  },
  {
    name: 'confirmed',
    about: 'every line with `seq` and confirmed with `stored`, against unconfirmed',
    shape: [
      { name: 'confirmed', seq: true },
      { name: 'unconfirmed', seq: false },
    ],
  },
  {
    name: 'connections',
    about: '10,000 connections, against 100',
    shape: [
      { name: '10,000 connections', connections: 10_000 },
      { name: '100 connections', connections: 100 },
    ],
  },
  {
    name: 'figures',
    times: FIGURES_TIMES,
    turns: FIGURES_TURNS,
    about:
      'the gateway with all figures and a scrape every second, against one whose histograms do nothing: CPU a message',
    shape: [
      { name: 'all figures', seq: true, scrapeEveryMs: 1000 },
      { name: 'none', seq: true, main: WITHOUT_FIGURES },
    ],
  },
  {
    name: 'processes',
    about: 'TCP_PROCESSES=2, against 1: CPU a message, with the first process',
    shape: [
      { name: 'two processes', settings: { TCP_PROCESSES: '2' } },
      { name: 'one process', settings: { TCP_PROCESSES: '1' } },
    ],
  },
  {
    name: 'partitions',
    turns: LINE_TURNS,
    perSecond: LOW_RATE,
    about:
      '2,000 messages a second, 1 line a write, to 12 partitions, against 1: CPU a message, which grows if partitions do not share requests',
    shape: [
      { name: '12 partitions', settings: { KAFKA_NUM_PARTITIONS: '12' }, linesPerWrite: 1, seq: false },
      { name: '1 partition', settings: { KAFKA_NUM_PARTITIONS: '1' }, linesPerWrite: 1, seq: false },
    ],
  },
  {
    name: 'plain-lines',
    turns: LINE_TURNS,
    about: 'plain lines, against metrics messages with the same readings: CPU a message',
    shape: [
      { name: 'plain lines', settings: { TCP_LINES_PORT: '0' }, form: 'plain', seq: false },
      { name: 'metrics', seq: false },
    ],
  },
  {
    name: 'nested',
    turns: LINE_TURNS,
    about: 'readings with an object and an array, against flat ones with the same values: CPU a message',
    shape: [
      { name: 'nested', form: 'nested' },
      { name: 'flat', form: 'flat' },
    ],
  },
  {
    name: 'far-device',
    times: FAR_DEVICE_TIMES,
    about: `one connection, confirmed, ${FAR_MS} ms round trip to the gateway, against ${NEAR_MS} ms; beside: one message a round trip`,
    shape: [
      { name: '100 ms', connections: 1, seq: true, deviceRoundTripMs: FAR_MS },
      { name: '1 ms', connections: 1, seq: true, deviceRoundTripMs: NEAR_MS },
      {
        name: 'a message a round trip, 100 ms',
        settings: ONE_AT_A_TIME,
        connections: 1,
        linesPerWrite: 1,
        seq: true,
        window: 1,
        deviceRoundTripMs: FAR_MS,
      },
    ],
  },
  {
    name: 'far-kafka',
    times: FAR_KAFKA_TIMES,
    about: `${FAR_MS} ms round trip to Kafka, against none, both through the same proxy`,
    shape: [
      { name: '100 ms', kafkaRoundTripMs: FAR_MS },
      { name: 'none', kafkaRoundTripMs: 0 },
    ],
  },
];
