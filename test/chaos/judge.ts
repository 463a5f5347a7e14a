// Compares the topics, as Java's tools read them, with the ledger of the devices. Independent of the load tool and its
// verification on purpose: a mistake there must not hide the same mistake here.
import { crc32 } from '@node-rs/crc32';
import { type ConsoleRecord, consoleConsumer } from '../../scripts/kafka/java-tools.ts';
import type { DeletedTopic } from './deleted-topic.ts';
import type { Ledger } from './ledger.ts';

export interface Verdict {
  /** Distinct readings in the topics. */
  readonly delivered: number;
  /** Further copies of a reading from the same connection. */
  readonly duplicates: number;
  /** Readings of a deleted topic that are also in the next one: their batch was in flight and its answer was lost. */
  readonly movedOn: number;
  /** Readings that came over more than one connection, because devices send unconfirmed ones again. */
  readonly resent: number;
  /** All findings; empty if everything holds. */
  readonly wrong: readonly string[];
}

/** The fields of a record that the judge needs. */
type JudgedRecord = Pick<ConsoleRecord, 'partition' | 'offset' | 'value'> & {
  /** Only in a deleted topic. */
  readonly batchesBehind?: number;
};

/** A topic from its creation to its deletion. A topic that is created again is another log. */
interface Log {
  readonly topic: string;
  readonly readings: readonly Reading[];
}

interface Reading {
  readonly device: string;
  readonly connection: string;
  readonly partition: number;
  readonly seq: number;
  readonly index: number;
  readonly checksum: number;
  readonly batchesBehind: number;
}

/** Batches of a partition that may be in flight at once (src/kafka/delivery/partition.ts). */
const MAX_IN_FLIGHT = 5;
const IDLE_MS = 3_000;
const PATIENT_IDLE_MS = 12_000;
const READ_TIMEOUT_MS = 120_000;
/** Examples of each kind of finding; the total is always given. */
const EXAMPLES = 3;

export interface Topics {
  readonly bootstrap: string;
  /** In the order in which the gateway wrote to them. */
  readonly metrics: readonly string[];
  /** Contents of deleted topics with the name of the first one, oldest first. */
  readonly deleted: readonly DeletedTopic[];
  /** Undefined if it is not checked. */
  readonly deadLetters: string | undefined;
}

export async function judge(ledger: Ledger, topics: Topics): Promise<Verdict> {
  const logs = await readLogs(ledger, topics);
  const dead =
    topics.deadLetters === undefined
      ? []
      : await readAll(topics, topics.deadLetters, (found) => missingLetters(ledger, found).length === 0);

  const wrong = new Findings();
  for (const text of missing(ledger, logs)) wrong.add('confirmed and missing', text);
  for (const { topic, readings } of logs)
    for (const reading of readings) checkContent(ledger, { reading, topic }, wrong);
  const { duplicates, movedOn, resent, delivered } = checkCopies(logs, wrong);
  if (duplicates > 0) wrong.add('duplicates', `${duplicates}`);
  if (topics.deadLetters !== undefined) checkDeadLetters(ledger, dead, wrong);
  return { delivered, duplicates, movedOn, resent, wrong: wrong.texts };
}

async function readLogs(ledger: Ledger, topics: Topics): Promise<Log[]> {
  const [first = ''] = topics.metrics;
  const logs: Log[] = topics.deleted.map((records) => ({ topic: first, readings: records.map(parse) }));
  for (const topic of topics.metrics) {
    // Only readings that must be in this topic: the next one is read later.
    const isComplete = (found: readonly JudgedRecord[]) =>
      missing(ledger, [...logs, { topic, readings: found.map(parse) }], topic).length === 0;
    logs.push({ topic, readings: (await readAll(topics, topic, isComplete)).map(parse) });
  }
  return logs;
}

/** Reads again if readings are missing: a consumer that joins its group slowly reads too little. */
async function readAll(
  topics: Topics,
  topic: string,
  isComplete: (records: readonly ConsoleRecord[]) => boolean,
): Promise<ConsoleRecord[]> {
  const read = (idleMs: number) =>
    consoleConsumer(topics.bootstrap, topic, { idleMs, timeoutMs: READ_TIMEOUT_MS });
  const quick = await read(IDLE_MS);
  const records = isComplete(quick) ? quick : await read(PATIENT_IDLE_MS);
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function parse({ partition, value, batchesBehind = 0 }: JudgedRecord): Reading {
  const text = String(value);
  const data = text.slice(text.indexOf(',"data":') + ',"data":'.length, -1);
  const { connection_id: connection } = JSON.parse(text) as { connection_id: string };
  const { d: device, m: seq, i: index } = JSON.parse(data) as { d: string; m: number; i: number };
  return { device, connection, partition, seq, index, checksum: crc32(data), batchesBehind };
}

/** @param only counts only readings that cannot be in another topic than this one */
function missing(ledger: Ledger, logs: readonly Log[], only?: string): string[] {
  const there = new Set<string>();
  for (const { readings } of logs)
    for (const { device, seq, index } of readings) there.add(`${device} ${seq}.${index}`);
  const texts: string[] = [];
  for (const { state, excused, device, seq, checksums, topics } of ledger.all()) {
    if (state !== 'confirmed' || excused) continue;
    if (only !== undefined && topics.some((topic) => topic !== only)) continue;
    for (const index of checksums.keys()) {
      const name = `${device} ${seq}.${index}`;
      if (!there.has(name)) texts.push(name);
    }
  }
  return texts;
}

function checkContent(
  ledger: Ledger,
  { reading, topic }: { reading: Reading; topic: string },
  wrong: Findings,
): void {
  const { device, seq, index } = reading;
  const message = ledger.find(device, seq);
  const name = `${device} ${seq}.${index}`;
  const checksum = message?.checksums[index];
  if (checksum === undefined) wrong.add('never sent', name);
  else if (checksum !== reading.checksum) wrong.add('changed on its way', name);
  if (message !== undefined && !message.topics.includes(topic))
    wrong.add('in the wrong topic', `${name} in ${topic} instead of ${message.topics}`);
  // If the message had several readings, the others may be there.
  if (message?.state === 'refused' && message.checksums.length === 1)
    wrong.add('refused and delivered', `${name} ${message.code}`);
}

/** What was seen of a connection in all logs, and in the latest one. */
interface ConnectionSeen {
  readonly seen: Map<string, { log: Log; batchesBehind: number }>;
  last?: Reading;
  log?: Log;
  partition: number;
  lastInLog?: Reading | undefined;
}

function checkCopies(logs: readonly Log[], wrong: Findings) {
  const connections = new Map<string, ConnectionSeen>();
  const places = new Map<string, Set<string>>();
  let [duplicates, movedOn] = [0, 0];
  for (const log of logs) {
    for (const reading of log.readings) {
      const { connection, partition } = reading;
      const name = nameOf(reading);
      places.set(name, (places.get(name) ?? new Set()).add(connection));
      const known: ConnectionSeen = connections.get(connection) ?? { seen: new Map(), partition: -1 };
      connections.set(connection, known);
      if (known.log !== log) {
        known.log = log;
        known.partition = partition;
        known.lastInLog = undefined;
      }
      if (partition !== known.partition) wrong.add('in two partitions', `${connection}: ${name}`);
      const copied = known.seen.get(name);
      if (copied?.log === log) {
        duplicates++;
        continue;
      }
      if (isBefore(reading, known.lastInLog))
        wrong.add('out of order', `${connection}: ${name} after ${nameOf(known.lastInLog)}`);
      known.lastInLog = reading;
      if (copied === undefined) {
        if (isBefore(reading, known.last))
          wrong.add('out of order', `${connection}: ${name} after ${nameOf(known.last)} of an earlier topic`);
        known.seen.set(name, { log, batchesBehind: reading.batchesBehind });
        known.last = reading;
      } else {
        movedOn++;
        if (copied.log.topic !== log.topic) wrong.add('in two topics', `${connection}: ${name}`);
        if (copied.batchesBehind >= MAX_IN_FLIGHT)
          wrong.add('again in the next topic, although it was not in flight', `${connection}: ${name}`);
      }
    }
  }
  const resent = [...places.values()].filter(({ size }) => size > 1).length;
  return { duplicates, movedOn, resent, delivered: places.size };
}

const nameOf = (reading: Reading | undefined): string =>
  reading === undefined ? '' : `${reading.device} ${reading.seq}.${reading.index}`;

const isBefore = (reading: Reading, last: Reading | undefined): boolean =>
  last !== undefined && (reading.seq < last.seq || (reading.seq === last.seq && reading.index < last.index));

/** Each refused message must have a dead letter with its reason. */
function checkDeadLetters(ledger: Ledger, records: readonly ConsoleRecord[], wrong: Findings): void {
  for (const record of records) {
    const { device, seq } = parse(record);
    if (!record.headers.some(([name, value]) => name === 'reason' && value !== ''))
      wrong.add('a dead letter without its reason', `${device} ${seq}`);
  }
  for (const text of missingLetters(ledger, records)) wrong.add('refused and not in the dead letters', text);
}

function missingLetters(ledger: Ledger, records: readonly ConsoleRecord[]): string[] {
  const there = new Set(records.map(parse).map(({ device, seq }) => `${device} ${seq}`));
  return [...ledger.all()].flatMap(({ state, code, device, seq }) =>
    state === 'refused' && !there.has(`${device} ${seq}`) ? `${device} ${seq} ${code}` : [],
  );
}

class Findings {
  readonly #byKind = new Map<string, string[]>();

  get texts(): string[] {
    return [...this.#byKind].map(
      ([kind, texts]) => `${kind} (${texts.length}): ${texts.slice(0, EXAMPLES).join('; ')}`,
    );
  }

  add(kind: string, text: string): void {
    const texts = this.#byKind.get(kind) ?? [];
    this.#byKind.set(kind, texts);
    texts.push(text);
  }
}
