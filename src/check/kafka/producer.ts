// The findings about sending: the codec, on this machine and for the brokers, the right to idempotent writes, and the
// clock against that of Kafka. No record is sent.
import { timeText } from '../../config/amounts.ts';
import { CLOCK_DIFFERS } from '../../health/expiry-components.ts';
import { COMPONENTS } from '../../health/findings.ts';
import { CodecUnavailableError, createCodec } from '../../kafka/batches/compression.ts';
import { kafkaError } from '../../kafka/wire/errors.ts';
import type { Context } from '../context.ts';
import { error, type Finding, note, ok, warning } from '../finding.ts';

const PRODUCE = 0;
/** The first version of Produce that may carry zstd, of Kafka 2.1. */
const ZSTD_SINCE = 7;
const SECOND_MS = 1000;

export async function checkCodec({ settings, kafka }: Context): Promise<Finding[]> {
  const name = settings.KAFKA_COMPRESSION;
  const remedy = 'Set KAFKA_COMPRESSION to snappy, gzip or none, or install what is missing';
  try {
    await createCodec(name).compress([Buffer.from('sluice')]);
  } catch (cause) {
    if (!(cause instanceof CodecUnavailableError)) throw cause;
    return [
      error('start_refused', {
        name: 'codec_missing',
        what: cause.message,
        why: 'The start is refused (exit code 78).',
        remedy,
      }),
    ];
  }
  const connection = await kafka?.connection();
  const newest = connection?.ok ? connection.value.versions[PRODUCE]?.maxVersion : undefined;
  if (name === 'zstd' && newest !== undefined && newest < ZSTD_SINCE) {
    const { name: refusal, remedy } = kafkaError(76);
    const what = `KAFKA_COMPRESSION=zstd, and the broker speaks Produce up to version ${newest}: it will answer ${refusal}`;
    const why = COMPONENTS.topic.findings.unusable.meaning;
    return [
      error('records_wait', {
        name: 'codec_refused',
        what,
        why,
        remedy: remedy ?? 'Set KAFKA_COMPRESSION=snappy',
      }),
    ];
  }
  return [ok('codec_usable', `KAFKA_COMPRESSION=${name} works here`)];
}

/** Asks for a producer id, as the gateway does at its start. */
export async function checkIdempotence({ settings, kafka }: Context): Promise<Finding[]> {
  if (kafka === undefined || settings.KAFKA_REQUIRED_ACKS !== -1) return [];
  const answer = await kafka.producerId();
  if (!answer.ok) return [];
  const { errorCode } = answer.value;
  if (errorCode === 0)
    return [ok('idempotent_write_allowed', 'Kafka lets the gateway write without duplicates (idempotent)')];
  const { name, remedy, outcome } = kafkaError(errorCode);
  const what = `Kafka gives no producer id: ${name}`;
  if (outcome !== 'topic')
    return [
      note({
        name: 'idempotent_write_unknown',
        what,
        why: 'That may pass: the gateway asks again until it gets one.',
      }),
    ];
  const why =
    'With KAFKA_REQUIRED_ACKS=all nothing is sent without a producer id: readings wait in the spool.';
  return [
    error('records_wait', {
      name: 'idempotent_write_refused',
      what,
      why,
      remedy: remedy ?? 'Do what the text says',
    }),
  ];
}

/** The clock of Kafka's controller (wire/quorum-clock.ts). Nothing else tells a clock without a record. */
export async function checkKafkaClock({ kafka }: Context): Promise<Finding[]> {
  if (kafka === undefined || !(await kafka.metadata()).ok) return [];
  const answer = await kafka.clock();
  const { differs } = COMPONENTS.clock.findings;
  if (answer === undefined)
    return [
      note({
        name: 'kafka_clock_unknown',
        what: "Kafka's clock is not known",
        why: 'Only a Kafka with KRaft from 3.3 on tells it without a record, to a login with the right Describe on the cluster. A running gateway knows it if a topic has message.timestamp.type=LogAppendTime.',
        remedy: 'Compare `date -u` here and on a broker',
      }),
    ];
  const { offsetMs, uncertainMs } = answer;
  const seconds = Math.abs(offsetMs) / SECOND_MS;
  const text = `${timeText(Math.abs(offsetMs))} ${offsetMs > 0 ? 'behind' : 'ahead of'} that of Kafka's controller`;
  if (Math.abs(offsetMs) - uncertainMs < CLOCK_DIFFERS.begins * SECOND_MS)
    return [
      ok(
        'kafka_clock_agrees',
        seconds < 1 ? "The clock agrees with that of Kafka's controller" : `The clock is ${text}`,
      ),
    ];
  return [
    warning({
      name: 'kafka_clock_differs',
      what: `The clock of this machine is ${text}`,
      why: differs.meaning,
      remedy: differs.remedy,
    }),
  ];
}
