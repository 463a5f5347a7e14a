// The schemas of the figures that are more than numbers: troubles with Kafka and the disk, topics, processes that hang.
import { z } from 'zod';
import type { HungProcess } from '../../../src/admin/figures.ts';
import {
  type KafkaTrouble,
  MAX_PROBLEMS,
  type SpoolRefusal,
  type TopicFigures,
} from '../../../src/admin/kafka-figures.ts';
import { MAX_OTHER_TOPICS, type OtherTopic } from '../../../src/admin/other-topics.ts';
import { MAX_RUNS, type PartitionRun } from '../../../src/admin/partition-runs.ts';
import { schemaOf } from './same-type.ts';
import { count, words } from './words.ts';

const trouble = schemaOf<KafkaTrouble>()(
  z.object({
    cause: words({
      not_configured: 'KAFKA_BROKERS is empty',
      connecting: 'nothing has been tried yet',
      login: 'a broker refuses the login',
      token: 'there is no token for the login',
      brokers: 'no broker answers',
      versions: 'the brokers speak no version of a request that the gateway speaks',
      leaders: 'leaders of partitions cannot be connected to',
      leaderless: 'partitions have no leader',
      fewer: 'a broker names fewer partitions than before',
      topic: 'the topic is missing, or Kafka refuses requests about it',
    }),
    reason: z.string(),
    isPartial: z.boolean().describe('Other partitions are delivered.'),
  }),
);

const run = schemaOf<PartitionRun>()(
  z
    .object({
      first: count(),
      last: count().describe('This one too.'),
      state: words({
        gone: 'Kafka no longer names it',
        memory: 'its batches go from memory to Kafka',
        'catching-up': 'its batches on disk are sent',
        leaving: 'its last batches on disk are in flight',
        disk: 'its batches go to the disk',
        held: 'it waits because Kafka refuses its records until somebody changes something',
      }),
      failing: z.boolean().describe('Its oldest batch failed when it was last tried.'),
    })
    .describe('Partitions with following numbers and equal states.'),
);

const topic = schemaOf<TopicFigures>()(
  z.object({
    topic: z.string(),
    use: words({
      metrics: 'KAFKA_TOPIC',
      lines: 'a further topic of readings, which the port for plain lines names',
      'dead letters': 'refused lines and records',
      presence: 'who is connected',
    }),
    partitions: count().describe('0 if Kafka has not named their number yet.'),
    failing: count().describe(
      'Partitions on disk whose oldest batch failed when it was last tried. Those held count too.',
    ),
    held: count().describe('Partitions that wait because Kafka refuses all of their records.'),
    states: z.array(run).max(MAX_RUNS).describe('Partitions after the last run are not listed.'),
    trouble: trouble.nullable(),
    problems: z.array(z.string()).max(MAX_PROBLEMS).describe('To be done by an operator.'),
    lastError: z.string().nullable(),
  }),
);

const otherTopic = schemaOf<OtherTopic>()(
  z.object({
    topic: z.string(),
    records: count(),
    bytes: count(),
    problem: z.string().nullable().describe('Why they are not delivered now. Null while they are sent.'),
  }),
);

const refusal = schemaOf<SpoolRefusal>()(
  z.object({
    cause: words({
      limit: 'SPOOL_MAX_BYTES is reached',
      'disk-full': 'the disk has no space',
      disk: 'any other error of the system',
    }),
    reason: z.string(),
  }),
);

const hung = schemaOf<HungProcess>()(z.object({ index: count(), pid: count().optional() }));

const reason = (about: string) => z.string().nullable().describe(about);

/** By section and name in the table of figures. */
export const OTHER_FIGURES: Readonly<Record<string, z.ZodType>> = {
  'kafka.lastError': reason('The last failure in words, null after a success.'),
  'kafka.problems': z
    .array(z.string())
    .max(MAX_PROBLEMS)
    .describe('Why records are not delivered, and the remedy; each reason once.'),
  'kafka.trouble': trouble
    .nullable()
    .describe('Why brokers or leaders cannot be used, or only in part; null if they can.'),
  'kafka.topics': z.array(topic).describe('The topics that Kafka is asked about, each once.'),
  'spool.trouble': reason('Why the disk takes nothing now.'),
  'spool.refusal': refusal
    .nullable()
    .describe('The write that the disk or the limit refused, until writes have succeeded for 5 s.'),
  'spool.otherTopics': z
    .array(otherTopic)
    .max(MAX_OTHER_TOPICS)
    .describe('Those with the most records first.'),
  'deadLetters.problem': reason('Why dead letters wait.'),
  'deadLetters.blocked': reason('Why refused records have to wait for their letters.'),
  'queue.capacityBytes': z
    .int()
    .nullable()
    .describe("The job queue's limit in bytes; null with TCP_USE_WORKER_POOL=false, which has none."),
  'presence.topic': reason('KAFKA_TOPIC_PRESENCE; null if it is empty.'),
  'presence.problem': reason('Why presence records wait.'),
  'presence.blocked': reason('Why they are only merged in memory: the disk does not take them either.'),
  'processes.hung': z.array(hung).describe('Server processes that run and do not answer.'),
};

/** The meanings of figures that have no metric. The others have the help text of their metric. */
export const ABOUT: Readonly<Record<string, string>> = {
  'records.open': 'Records in batches that are not closed yet.',
  'records.inFlight': 'Records in batches that are on their way to Kafka, or wait for it in memory.',
  'records.spooled': 'Records in the spool.',
  'processes.unseen':
    'Crashes before the first figures. The records that these processes accepted are in no total.',
};
