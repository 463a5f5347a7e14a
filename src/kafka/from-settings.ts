// The Kafka client and the options of the spools, built from the settings. It opens nothing.

import { readingTopics } from '../config/reading-topics.ts';
import type { Settings } from '../config/settings.ts';
import type { FileWatch } from '../files/file-watch.ts';
import type { Log } from '../log/log.ts';
import type { SpoolOptions } from '../spool/spool.ts';
import { SpoolCap } from '../spool/spool-cap.ts';
import { KafkaClient } from './client/kafka-client.ts';
import { watchCredentials } from './credentials.ts';

const REMARKS = { info: 'spool_upgraded', warn: 'spool_damage_found', error: 'spool_unreadable' } as const;

/** Undefined if KAFKA_BROKERS is empty. */
export function createCluster(
  settings: Settings,
  { files, log }: { files: FileWatch; log: Log },
): KafkaClient | undefined {
  if (settings.KAFKA_BROKERS.length === 0) return undefined;
  const options = {
    brokers: settings.KAFKA_BROKERS,
    clientId: settings.KAFKA_CLIENT_ID,
    credentials: watchCredentials(settings, { files, log }),
    requestTimeoutMs: settings.KAFKA_REQUEST_TIMEOUT,
  };
  return new KafkaClient(options, log);
}

/** @param cap the setting that limits the bytes on disk of readings, or of dead letters */
export function spoolOptions(
  settings: Settings,
  cap: 'SPOOL_MAX_BYTES' | 'SPOOL_DEAD_BYTES',
  log: Log,
): Omit<SpoolOptions, 'directory'> {
  return {
    remark: ({ level, text }, directory) => log.write(REMARKS[level], { remark: text, directory }),
    cap: new SpoolCap(settings[cap], cap),
    segmentBytes: settings.SPOOL_SEGMENT_BYTES,
    sync: settings.SPOOL_SYNC,
    partitions:
      settings.KAFKA_NUM_PARTITIONS * (cap === 'SPOOL_MAX_BYTES' ? readingTopics(settings).length : 1),
  };
}
