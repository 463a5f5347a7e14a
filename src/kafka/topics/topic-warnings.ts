// The warnings about a topic's settings: which records Kafka will refuse after an outage, or delete. It never logs them.
import { durationText } from '../../config/kinds.ts';
import { AFTER_MAX, BEFORE_MAX, DIFFERENCE_MAX, type TopicLimits } from '../client/topic-limits.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** Long enough for an outage over a long weekend, and a day to notice it. */
const ENOUGH_BEFORE_MS = 5 * DAY_MS;
/** Clocks that are kept by NTP differ by less. */
const ENOUGH_AFTER_MS = MINUTE_MS;

/** The timestamps that the gateway sends. */
export interface SentTimestamps {
  /** KAFKA_TIMESTAMP. */
  readonly timestamp: 'received' | 'sent';
  /** Timestamp of the oldest record on disk, by the gateway's clock, milliseconds since 1970. */
  readonly oldestWaitingMs: number | undefined;
  /** The gateway's clock now. */
  readonly nowMs: number;
  /** The topic is meant to keep the newest record of each key only. Left out, all records. */
  readonly isCompacted?: boolean;
}

/** Sentences for the log; none if the topic accepts and keeps all records of the gateway. */
export function limitWarnings(topic: string, limits: TopicLimits, sent: SentTimestamps): readonly string[] {
  return [
    ...timestampWarnings(topic, limits, sent.timestamp),
    ...waitingWarnings(topic, limits, sent),
    ...compactionWarnings(topic, limits, sent.isCompacted ?? false),
  ];
}

/** Warns if records on disk are too old already. */
function waitingWarnings(topic: string, limits: TopicLimits, sent: SentTimestamps): string[] {
  const { timestampBeforeMaxMs: before, timestampType, hasOneTimestampLimit } = limits;
  const { timestamp, oldestWaitingMs, nowMs } = sent;
  if (timestampType === 'LogAppendTime' || timestamp === 'sent') return [];
  if (before === undefined || oldestWaitingMs === undefined || nowMs - oldestWaitingMs <= before) return [];
  return [
    `Records that wait in the spool are older than topic ${topic} takes (${durationText(before)}), by the gateway's clock. ` +
      'Kafka will refuse them, and their partitions will wait; nothing is lost. ' +
      `Set KAFKA_TIMESTAMP=sent, or raise ${hasOneTimestampLimit ? DIFFERENCE_MAX : BEFORE_MAX} of the topic`,
  ];
}

/** Kafka refuses a record (INVALID_TIMESTAMP) if its timestamp lies too far from the broker's clock. */
function timestampWarnings(topic: string, limits: TopicLimits, timestamp: 'received' | 'sent'): string[] {
  // The broker sets the timestamps itself.
  if (limits.timestampType === 'LogAppendTime') return [];
  const { timestampBeforeMaxMs: before, timestampAfterMaxMs: after } = limits;
  const [beforeName, afterName] = limits.hasOneTimestampLimit
    ? [DIFFERENCE_MAX, DIFFERENCE_MAX]
    : [BEFORE_MAX, AFTER_MAX];
  const warnings: string[] = [];
  if (timestamp === 'received' && before !== undefined && before < ENOUGH_BEFORE_MS) {
    warnings.push(
      `Topic ${topic} takes records that are up to ${durationText(before)} old (${beforeName}=${before}). ` +
        "By the gateway's clock, records that wait longer than that in an outage will be refused and stay in the spool. " +
        `Set KAFKA_TIMESTAMP=sent, or raise ${beforeName} of the topic, or set its message.timestamp.type=LogAppendTime`,
    );
  }
  if (after !== undefined && after < ENOUGH_AFTER_MS) {
    warnings.push(
      `Topic ${topic} takes records that are up to ${durationText(after)} ahead of the broker's clock (${afterName}=${after}). ` +
        "If the gateway's clock runs ahead by more, all records will be refused and stay in the spool. " +
        `Keep the clocks in step (NTP), or raise ${afterName} of the topic`,
    );
  }
  return warnings;
}

function compactionWarnings(topic: string, { cleanupPolicy }: TopicLimits, isMeant: boolean): string[] {
  const isCompacted = cleanupPolicy?.split(',').some((policy) => policy.trim() === 'compact') ?? false;
  if (isMeant && !isCompacted && cleanupPolicy !== undefined)
    return [
      `Topic ${topic} is not compacted (cleanup.policy=${cleanupPolicy}): Kafka deletes the last state of a device after retention.ms. ` +
        'Set cleanup.policy=compact on the topic',
    ];
  if (!isCompacted || isMeant) return [];
  return [
    `Topic ${topic} is compacted (cleanup.policy=${cleanupPolicy}): Kafka keeps only the newest record of each key, ` +
      'and refuses records without a key, as dead letters are. Set cleanup.policy=delete on the topic',
  ];
}
