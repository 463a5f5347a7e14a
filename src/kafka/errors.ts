// What a broker's error code means for a batch. The codes are Kafka's (https://kafka.apache.org/protocol#protocol_error_codes);
// one this table does not know is tried again, since losing a batch to a new code would be worse than waiting.

/**
 * - `stored`: the batch is in the log.
 * - `leader`: this broker is not (or no longer) the partition's leader; ask for the leaders anew.
 * - `retry`: nothing is wrong with the batch, try again later.
 * - `sequence`: the broker does not know this producer's sequence; a new producer id is needed.
 * - `record`: a record of the batch will never be taken.
 * - `topic`: the topic does not take records from us until someone changes that.
 */
export type Outcome = 'stored' | 'leader' | 'retry' | 'sequence' | 'record' | 'topic';

interface KafkaError {
  readonly name: string;
  readonly outcome: Outcome;
}

const ERRORS = new Map<number, KafkaError>([
  [0, { name: 'NONE', outcome: 'stored' }],
  [-1, { name: 'UNKNOWN_SERVER_ERROR', outcome: 'retry' }],
  [2, { name: 'CORRUPT_MESSAGE', outcome: 'retry' }],
  [3, { name: 'UNKNOWN_TOPIC_OR_PARTITION', outcome: 'leader' }],
  [5, { name: 'LEADER_NOT_AVAILABLE', outcome: 'leader' }],
  [6, { name: 'NOT_LEADER_OR_FOLLOWER', outcome: 'leader' }],
  [7, { name: 'REQUEST_TIMED_OUT', outcome: 'retry' }],
  [8, { name: 'BROKER_NOT_AVAILABLE', outcome: 'leader' }],
  [9, { name: 'REPLICA_NOT_AVAILABLE', outcome: 'leader' }],
  [10, { name: 'MESSAGE_TOO_LARGE', outcome: 'record' }],
  [13, { name: 'NETWORK_EXCEPTION', outcome: 'leader' }],
  [17, { name: 'INVALID_TOPIC_EXCEPTION', outcome: 'topic' }],
  [18, { name: 'RECORD_LIST_TOO_LARGE', outcome: 'record' }],
  [19, { name: 'NOT_ENOUGH_REPLICAS', outcome: 'retry' }],
  [20, { name: 'NOT_ENOUGH_REPLICAS_AFTER_APPEND', outcome: 'retry' }],
  [29, { name: 'TOPIC_AUTHORIZATION_FAILED', outcome: 'topic' }],
  [31, { name: 'CLUSTER_AUTHORIZATION_FAILED', outcome: 'topic' }],
  [32, { name: 'INVALID_TIMESTAMP', outcome: 'record' }],
  [45, { name: 'OUT_OF_ORDER_SEQUENCE_NUMBER', outcome: 'sequence' }],
  // The batch with this sequence is in the log already: an earlier try's answer was lost.
  [46, { name: 'DUPLICATE_SEQUENCE_NUMBER', outcome: 'stored' }],
  [47, { name: 'INVALID_PRODUCER_EPOCH', outcome: 'sequence' }],
  [49, { name: 'INVALID_PRODUCER_ID_MAPPING', outcome: 'sequence' }],
  [56, { name: 'KAFKA_STORAGE_ERROR', outcome: 'leader' }],
  [59, { name: 'UNKNOWN_PRODUCER_ID', outcome: 'sequence' }],
  [74, { name: 'FENCED_LEADER_EPOCH', outcome: 'leader' }],
  [75, { name: 'UNKNOWN_LEADER_EPOCH', outcome: 'leader' }],
  [87, { name: 'INVALID_RECORD', outcome: 'record' }],
  [90, { name: 'PRODUCER_FENCED', outcome: 'sequence' }],
]);

export function kafkaError(code: number): KafkaError {
  return ERRORS.get(code) ?? { name: `error code ${code}`, outcome: 'retry' };
}
