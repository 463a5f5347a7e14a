// Defines the profiles: named sets of settings (PROFILE). Each value is text in the setting's own syntax, with its reason
// for the docs. A setting that is given wins over the profile.
import type { PROFILE_NAMES, SettingName } from './settings.ts';

export type ProfileName = (typeof PROFILE_NAMES)[number];

interface ProfileValue {
  readonly value: string;
  readonly why: string;
}

export interface Profile {
  readonly about: string;
  readonly values: Partial<Readonly<Record<SettingName, ProfileValue>>>;
}

export const PROFILES: Readonly<Record<ProfileName, Profile>> = {
  local: {
    about: 'a trial on one machine with one broker',
    values: {
      TCP_HOST: { value: '127.0.0.1', why: 'a trial should not be reachable from outside' },
      KAFKA_NUM_PARTITIONS: { value: '3', why: 'enough to see how keys are distributed, few enough to read' },
      KAFKA_REPLICATION_FACTOR: { value: '1', why: 'one broker cannot hold a second replica' },
      KAFKA_COMPRESSION: { value: 'none', why: 'loopback has bandwidth to spare' },
      KAFKA_BATCH_TIMEOUT: { value: '2ms', why: 'a record should appear as soon as it is typed' },
      STATS_INTERVAL: { value: '10s', why: 'a person is watching' },
    },
  },
  lan: {
    about: 'brokers in the same building, below 1 ms away',
    values: {
      KAFKA_BATCH_TIMEOUT: { value: '5ms', why: 'round trips are short, so small batches cost little' },
      KAFKA_COMPRESSION: { value: 'snappy', why: 'little CPU, and the network is not the limit' },
      KAFKA_REQUEST_TIMEOUT: {
        value: '5s',
        why: 'without an answer for 5 s the broker is frozen, not the line slow',
      },
    },
  },
  wan: {
    about: 'brokers or devices behind a slow or long line',
    values: {
      TCP_IDENTIFY_TIMEOUT: { value: '30s', why: 'a lost packet on a mobile line costs seconds' },
      TCP_INACTIVITY_TIMEOUT: { value: '5m', why: 'devices that pay for bytes rarely send keepalives' },
      TCP_LINE_TIMEOUT: { value: '1m', why: 'a long line takes time on a slow link' },
      KAFKA_BATCH_SIZE: {
        value: '5000',
        why: 'round trips are expensive, so each should carry more records',
      },
      KAFKA_BATCH_BYTES: { value: '960KiB', why: "just below a broker's usual limit of 1 MiB a batch" },
      KAFKA_BATCH_TIMEOUT: { value: '100ms', why: 'short compared with the round trip, and batches fill' },
      KAFKA_COMPRESSION: {
        value: 'gzip',
        why: 'bytes cost more than CPU here, and every consumer reads gzip',
      },
      KAFKA_REQUEST_TIMEOUT: { value: '30s', why: 'a full batch alone needs seconds on a 3 Mbit/s line' },
      KAFKA_BUFFER_BYTES: { value: '128MiB', why: 'more is in flight at any moment' },
      SHUTDOWN_TIMEOUT: { value: '30s', why: 'the last batches need their round trips too' },
    },
  },
  small: {
    about: 'up to 1,000 devices, a small machine',
    values: {
      TCP_MAX_CONNECTIONS: { value: '1000', why: 'the size of the fleet' },
      TCP_WORKER_COUNT: { value: '4', why: 'one core is enough' },
      TCP_JOB_QUEUE_SIZE: { value: '500', why: 'room for a line of every second device' },
      KAFKA_NUM_PARTITIONS: { value: '3', why: 'few consumers share the work' },
      KAFKA_BATCH_SIZE: { value: '500', why: 'batches seldom hold more before they are sent' },
      KAFKA_BATCH_BYTES: { value: '128KiB', why: 'open batches stay small in memory' },
      KAFKA_BUFFER_BYTES: { value: '16MiB', why: 'fits a machine of 512 MB' },
    },
  },
  medium: {
    about: 'up to 10,000 devices',
    values: {
      TCP_MAX_CONNECTIONS: { value: '10000', why: 'the size of the fleet; needs ulimit -n above 10,300' },
      TCP_JOB_QUEUE_SIZE: { value: '5000', why: 'room for a line of every second device' },
      KAFKA_NUM_PARTITIONS: { value: '10', why: 'up to ten consumers share the work' },
      KAFKA_BUFFER_BYTES: { value: '128MiB', why: 'about a minute of 10,000 readings a second' },
    },
  },
  large: {
    about: 'up to 50,000 devices, several cores',
    values: {
      TCP_MAX_CONNECTIONS: { value: '50000', why: 'the size of the fleet; needs ulimit -n above 50,300' },
      TCP_JOB_QUEUE_SIZE: { value: '20000', why: 'room for a line of two devices in five' },
      KAFKA_NUM_PARTITIONS: { value: '30', why: 'many consumers share the work' },
      KAFKA_BATCH_SIZE: { value: '5000', why: 'fewer, larger requests relieve the brokers' },
      KAFKA_BATCH_BYTES: { value: '960KiB', why: "just below a broker's usual limit of 1 MiB a batch" },
      KAFKA_BATCH_TIMEOUT: {
        value: '20ms',
        why: 'batches fill; the delay is still below what a person sees',
      },
      KAFKA_BUFFER_BYTES: {
        value: '256MiB',
        why: 'holds what the whole fleet sends in some seconds',
      },
      STATS_INTERVAL: { value: '1m', why: 'a fleet of this size is watched by /metrics, not by the log' },
    },
  },
};
