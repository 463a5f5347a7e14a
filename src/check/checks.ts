// The table of all checks of `sluice check`, in the order of its report. A new check is a function that returns findings,
// and a line here. No check throws for a fault of the world, and none waits for another one.
import { checkAdminAccess, checkCertificates, checkTokens } from './access.ts';
import type { Context } from './context.ts';
import type { Finding } from './finding.ts';
import { checkAdvertised, checkBrokers, checkLogin } from './kafka/brokers.ts';
import { checkCodec, checkIdempotence, checkKafkaClock } from './kafka/producer.ts';
import { checkTopics } from './kafka/topics.ts';
import { checkPorts } from './ports.ts';
import { checkMemory, checkOpenFiles, checkOwnClock } from './resources.ts';
import { checkSettings } from './settings.ts';
import { checkSpool } from './spool.ts';

export const AREAS = ['Settings', 'Machine', 'Spool', 'Access', 'Kafka', 'Topics'] as const;

export type Area = (typeof AREAS)[number];

export interface Check {
  readonly area: Area;
  /** To be read after "checks" (docs/operating.md). */
  readonly about: string;
  readonly run: (context: Context) => readonly Finding[] | Promise<readonly Finding[]>;
}

export const CHECKS: readonly Check[] = [
  { area: 'Settings', about: 'settings that are risky, and names that look misspelt', run: checkSettings },
  { area: 'Machine', about: 'that each port is free, or whose it is', run: checkPorts },
  { area: 'Machine', about: '`ulimit -n` against `TCP_MAX_CONNECTIONS`', run: checkOpenFiles },
  { area: 'Machine', about: 'memory, or the limit of the container, against the buffers', run: checkMemory },
  { area: 'Machine', about: 'that the clock is not before the time of our own files', run: checkOwnClock },
  {
    area: 'Spool',
    about: 'the directory, its disk, owner and room, and who has its lock',
    run: checkSpool,
  },
  { area: 'Access', about: 'the file of device tokens', run: checkTokens },
  { area: 'Access', about: 'the admin port and its token', run: checkAdminAccess },
  { area: 'Access', about: 'the certificates and their days', run: checkCertificates },
  { area: 'Kafka', about: 'each address of `KAFKA_BROKERS`', run: checkBrokers },
  { area: 'Kafka', about: 'the login', run: checkLogin },
  { area: 'Kafka', about: 'each address that a broker advertises', run: checkAdvertised },
  { area: 'Kafka', about: 'the codec, here and for the brokers', run: checkCodec },
  { area: 'Kafka', about: 'the right to idempotent writes', run: checkIdempotence },
  { area: 'Kafka', about: 'our clock against that of Kafka', run: checkKafkaClock },
  {
    area: 'Topics',
    about:
      'each topic: whether it is there or may be created, partitions, leaders, rights, replicas against acks, its largest message against the longest line, the times that it takes',
    run: checkTopics,
  },
];
