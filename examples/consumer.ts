// Prints each reading of the topic once.
// npm init -y && npm pkg set type=module && npm install kafkajs@2.2.4 kafkajs-snappy
// node consumer.ts [BROKERS [TOPIC [GROUP]]]
import { createRequire } from 'node:module';
import kafkajs from 'kafkajs';

interface SluiceRecord {
  connection_id: string;
  zipcode?: string;
  city?: string;
  received_at: string;
  device_id?: string;
  tags?: Record<string, string | number | boolean | null>;
  seq?: number;
  data: Record<string, unknown>;
}

const [brokers = '127.0.0.1:9092', topic = 'weather.metrics.raw', groupId = 'printer'] =
  process.argv.slice(2);
const { CompressionCodecs, CompressionTypes, Kafka, logLevel } = kafkajs;
// Sluice writes snappy. Without this line kafkajs stops at the first batch: it knows only gzip by itself.
CompressionCodecs[CompressionTypes.Snappy] = createRequire(import.meta.url)('kafkajs-snappy');

const MAX_REMEMBERED = 100_000;
const seen = new Set<string>();

const isText = (value: unknown) => value === undefined || (typeof value === 'string' && value !== '');

/** Undefined if the record is no reading, for example a plain line or one of another program. */
function readingOf(value: string): { record: SluiceRecord; data: string } | undefined {
  try {
    const record = JSON.parse(value) as SluiceRecord;
    const { connection_id, device_id, zipcode, seq } = record;
    const isOurs = connection_id !== undefined && [connection_id, device_id, zipcode].every(isText);
    if (!isOurs || !record.data || !(seq === undefined || Number.isInteger(seq))) return undefined;
    // Here, because objects that are too deep make it throw.
    return { record, data: JSON.stringify(record.data) };
  } catch {
    return undefined;
  }
}

/** True if this reading has been seen. Remembers the newest readings whose message has a seq. */
function isCopy({ device_id, connection_id, seq }: SluiceRecord, data: string): boolean {
  if (seq === undefined) return false;
  // The readings of an array share their seq: only their data tell them apart.
  const id = `${device_id ?? connection_id} ${seq} ${data}`;
  if (seen.has(id)) return true;
  seen.add(id);
  const [oldest] = seen;
  if (seen.size > MAX_REMEMBERED && oldest !== undefined) seen.delete(oldest);
  return false;
}

const kafka = new Kafka({ clientId: 'printer', brokers: brokers.split(','), logLevel: logLevel.WARN });
const consumer = kafka.consumer({ groupId });
process.once('SIGINT', () => void consumer.disconnect());
await consumer.connect();
await consumer.subscribe({ topics: [topic], fromBeginning: true });
await consumer.run({
  eachMessage: async ({ message }) => {
    const reading = readingOf(String(message.value));
    if (reading === undefined) {
      console.log('NOT A READING', String(message.value ?? ''));
      return;
    }
    const { record, data } = reading;
    const device = record.zipcode ?? record.device_id ?? record.connection_id;
    if (!isCopy(record, data)) console.log(device, record.received_at, data);
  },
});
