// Defines the profiles: named sets of settings (PROFILE). Each value is text in the setting's own syntax, with its reason
// for the docs. A setting that is given wins over the profile.
import type { PROFILE_NAMES, SettingName } from './settings.ts';

export type ProfileName = (typeof PROFILE_NAMES)[number];

export interface Profile {
  readonly about: string;
  readonly values: Partial<Readonly<Record<SettingName, readonly [value: string, why: string]>>>;
}

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  local: {
    about: 'a trial on one machine with one broker',
    values: {
      TCP_HOST: ['127.0.0.1', 'a trial should not be reachable from outside'],
      KAFKA_NUM_PARTITIONS: ['3', 'enough to see how keys are distributed, few enough to read'],
      KAFKA_REPLICATION_FACTOR: ['1', 'one broker cannot hold a second replica'],
      KAFKA_COMPRESSION: ['none', 'loopback has bandwidth to spare'],
      KAFKA_BATCH_TIMEOUT: ['2ms', 'a record should appear as soon as it is typed'],
      STATS_INTERVAL: ['10s', 'a person is watching'],
    },
  },
  lan: {
    about: 'brokers in the same building, below 1 ms away',
    values: {
      KAFKA_BATCH_TIMEOUT: ['5ms', 'round trips are short, so small batches cost little'],
      KAFKA_COMPRESSION: ['snappy', 'little CPU, and the network is not the limit'],
      KAFKA_REQUEST_TIMEOUT: ['5s', 'without an answer for 5 s the broker is frozen, not the line slow'],
    },
  },
  wan: {
    about: 'brokers or devices behind a slow or long line',
    values: {
      TCP_IDENTIFY_TIMEOUT: ['30s', 'a lost packet on a mobile line costs seconds'],
      TCP_INACTIVITY_TIMEOUT: ['5m', 'devices that pay for bytes rarely send keepalives'],
      TCP_LINE_TIMEOUT: ['1m', 'a long line takes time on a slow link'],
      KAFKA_BATCH_SIZE: ['5000', 'round trips are expensive, so each should carry more records'],
      KAFKA_BATCH_BYTES: ['960KiB', "just below a broker's usual limit of 1 MiB a batch"],
      KAFKA_BATCH_TIMEOUT: ['100ms', 'short compared with the round trip, and batches fill'],
      KAFKA_COMPRESSION: ['gzip', 'bytes cost more than CPU here, and every consumer reads gzip'],
      KAFKA_REQUEST_TIMEOUT: ['30s', 'a full batch alone needs seconds on a 3 Mbit/s line'],
      KAFKA_BUFFER_BYTES: ['128MiB', 'more is in flight at any moment'],
      SHUTDOWN_TIMEOUT: ['30s', 'the last batches need their round trips too'],
    },
  },
  small: {
    about: 'up to 1,000 devices, a small machine',
    values: {
      TCP_MAX_CONNECTIONS: ['1000', 'the size of the fleet'],
      TCP_WORKER_COUNT: ['4', 'one core is enough'],
      TCP_JOB_QUEUE_SIZE: ['500', 'room for a line of every second device'],
      KAFKA_NUM_PARTITIONS: ['3', 'few consumers share the work'],
      KAFKA_BATCH_SIZE: ['500', 'batches seldom hold more before they are sent'],
      KAFKA_BATCH_BYTES: ['128KiB', 'open batches stay small in memory'],
      KAFKA_BUFFER_BYTES: ['16MiB', 'fits a machine of 512 MB'],
    },
  },
  medium: {
    about: 'up to 10,000 devices',
    values: {
      TCP_MAX_CONNECTIONS: ['10000', 'the size of the fleet; needs ulimit -n above 10,300'],
      TCP_JOB_QUEUE_SIZE: ['5000', 'room for a line of every second device'],
      KAFKA_NUM_PARTITIONS: ['10', 'up to ten consumers share the work'],
      KAFKA_BUFFER_BYTES: ['128MiB', 'about a minute of 10,000 readings a second'],
    },
  },
  large: {
    about: 'up to 50,000 devices, several cores',
    values: {
      TCP_MAX_CONNECTIONS: ['50000', 'the size of the fleet; needs ulimit -n above 50,300'],
      TCP_JOB_QUEUE_SIZE: ['20000', 'room for a line of two devices in five'],
      KAFKA_NUM_PARTITIONS: ['30', 'many consumers share the work'],
      KAFKA_BATCH_SIZE: ['5000', 'fewer, larger requests relieve the brokers'],
      KAFKA_BATCH_BYTES: ['960KiB', "just below a broker's usual limit of 1 MiB a batch"],
      KAFKA_BUFFER_BYTES: ['256MiB', 'holds what the whole fleet sends in some seconds'],
      STATS_INTERVAL: ['1m', 'a fleet of this size is watched by /metrics, not by the log'],
    },
  },
};
