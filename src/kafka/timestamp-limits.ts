// Whether a topic's limits on timestamps fit a gateway whose readings may wait through an outage. Kafka refuses a
// record (INVALID_TIMESTAMP) whose timestamp lies too far from the clock of the broker.
import { durationText } from '../config/kinds.ts';
import type { TopicLimits } from './cluster.ts';

const MINUTE_MS = 60_000;
const DAY_MS = 24 * 60 * MINUTE_MS;
/** An outage over a long weekend, and a day to notice it. */
const ENOUGH_BEFORE_MS = 5 * DAY_MS;
/** Clocks of machines with NTP differ by less. */
const ENOUGH_AFTER_MS = MINUTE_MS;

/**
 * Sentences for the log; none if the topic takes whatever the gateway sends.
 * @param timestamp KAFKA_TIMESTAMP
 */
export function timestampWarnings(
  topic: string,
  limits: TopicLimits,
  timestamp: 'received' | 'sent',
): readonly string[] {
  // The broker stamps the records itself.
  if (limits.timestampType === 'LogAppendTime') return [];
  const { timestampBeforeMaxMs: before, timestampAfterMaxMs: after } = limits;
  const warnings: string[] = [];
  if (timestamp === 'received' && before !== undefined && before < ENOUGH_BEFORE_MS) {
    warnings.push(
      `Topic ${topic} takes records up to ${durationText(before)} old by the gateway's clock (message.timestamp.before.max.ms=${before}). ` +
        'Records that wait longer in an outage would be refused and stay in the spool. ' +
        'Set KAFKA_TIMESTAMP=sent, or raise message.timestamp.before.max.ms of the topic, or set its message.timestamp.type=LogAppendTime',
    );
  }
  if (after !== undefined && after < ENOUGH_AFTER_MS) {
    warnings.push(
      `Topic ${topic} takes records up to ${durationText(after)} ahead of the broker's clock (message.timestamp.after.max.ms=${after}). ` +
        "If the gateway's clock runs ahead by more, all records would be refused and stay in the spool. " +
        'Keep the clocks in step (NTP), or raise message.timestamp.after.max.ms of the topic',
    );
  }
  return warnings;
}
