// The log lines about presence.
import type { LineTable } from '../line.ts';

export const PRESENCE_LINES = {
  presence_recovered: {
    level: 'info',
    text: 'Presence: {records} records of an earlier process are on disk and are sent first',
    fields: { records: 'count', directory: 'text' },
    meaning: 'An earlier process stopped while the topic of presence took nothing.',
  },
  presence_left: {
    level: 'warn',
    text: 'Presence: {bytes} of an earlier run are on disk, and KAFKA_TOPIC_PRESENCE is empty: they are not sent',
    fields: { bytes: 'bytes', directory: 'text' },
    meaning:
      'The topic was switched off while records waited. Until they are sent, the topic may show devices as connected that are not.',
    look: '`sluice spool ls --dir DIRECTORY`',
    remedy:
      'Set KAFKA_TOPIC_PRESENCE again, or send them with `sluice spool drain --dir DIRECTORY --brokers HOST:PORT`. If nobody needs them, delete the directory.',
  },
  presence_dropped: {
    level: 'warn',
    text: 'Presence: states of devices were dropped ({reason}); readings are not affected',
    fields: { topic: 'text', reason: 'text' },
    everyMs: 60_000,
    meaning:
      'More keys waited than there is room for in memory and on disk, or Kafka refused the records. The topic may show a device as connected that is not, or not at all.',
    look: '`sluice_presence_dropped_total`',
    remedy: 'Do what `reason` says; raise SPOOL_DEAD_BYTES, of which presence has an eighth.',
  },
  presence_lost: {
    level: 'error',
    text: 'Presence: {states} states were lost at the stop: {reason}',
    fields: { states: 'count', reason: 'text' },
    meaning:
      'Neither Kafka nor the disk took them in time. The topic may show devices as connected that are not.',
    look: '`sluice check`',
    remedy: 'Do what `reason` says. A device is shown as it is once it connects again.',
  },
} as const satisfies LineTable;
