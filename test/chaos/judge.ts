// Holds the topic, as Java's consumer reads it, against the ledger.
import { crc32 } from '@node-rs/crc32';
import { type ConsoleRecord, consoleConsumer } from '../../scripts/kafka/java-tools.ts';
import type { Ledger } from './ledger.ts';

export interface Verdict {
  /** Readings in the topic, each counted once. */
  readonly delivered: number;
  /** Copies of one reading from one connection beyond the first. */
  readonly duplicates: number;
  /** Readings that came over more than one connection: devices send again what they were not told is stored. */
  readonly resent: number;
  readonly deadLetters: number;
  /** What must not be, in words; empty where all is well. */
  readonly wrong: readonly string[];
}

interface Reading {
  readonly device: string;
  readonly connection: string;
  readonly partition: number;
  readonly seq: number;
  readonly index: number;
  readonly checksum: number;
}

const IDLE_MS = 3_000;
const PATIENT_IDLE_MS = 12_000;
const READ_TIMEOUT_MS = 120_000;
/** Of each kind of trouble; a total is always given. */
const EXAMPLES = 3;

export interface Topics {
  readonly bootstrap: string;
  readonly metrics: string;
  /** Undefined where it is not to be looked at. */
  readonly deadLetters: string | undefined;
}

/** @param allowedDuplicates what kills of the gateway may have left twice */
export async function judge(ledger: Ledger, topics: Topics, allowedDuplicates = 0): Promise<Verdict> {
  const records = await readAll(
    topics,
    topics.metrics,
    (found) => missing(ledger, found.map(parse)).length === 0,
  );
  const dead =
    topics.deadLetters === undefined
      ? []
      : await readAll(topics, topics.deadLetters, (found) => missingLetters(ledger, found).length === 0);

  const readings = records.map(parse);
  const wrong = new Findings();
  for (const text of missing(ledger, readings)) wrong.add('confirmed and missing', text);
  for (const reading of readings) checkContent(ledger, reading, wrong);
  const { duplicates, resent, delivered } = checkCopies(readings, wrong);
  if (duplicates > allowedDuplicates) wrong.add('duplicates', `${duplicates}, allowed ${allowedDuplicates}`);
  if (topics.deadLetters !== undefined) checkDeadLetters(ledger, dead, wrong);
  return { delivered, duplicates, resent, deadLetters: dead.length, wrong: wrong.texts };
}

/** A consumer that was slow to join its group reads nothing or too little: that must not count as a loss. */
async function readAll(
  topics: Topics,
  topic: string,
  isComplete: (records: readonly ConsoleRecord[]) => boolean,
): Promise<ConsoleRecord[]> {
  const records = await read(topics, topic, IDLE_MS);
  return isComplete(records) ? records : read(topics, topic, PATIENT_IDLE_MS);
}

async function read({ bootstrap }: Topics, topic: string, idleMs: number): Promise<ConsoleRecord[]> {
  const records = await consoleConsumer(bootstrap, topic, { idleMs, timeoutMs: READ_TIMEOUT_MS });
  return records.sort((a, b) => a.partition - b.partition || a.offset - b.offset);
}

function parse({ partition, value }: ConsoleRecord): Reading {
  const text = String(value);
  const data = text.slice(text.indexOf(',"data":') + ',"data":'.length, -1);
  const { connection_id: connection } = JSON.parse(text) as { connection_id: string };
  const { d: device, m: seq, i: index } = JSON.parse(data) as { d: string; m: number; i: number };
  return { device, connection, partition, seq, index, checksum: crc32(data) };
}

function missing(ledger: Ledger, readings: readonly Reading[]): string[] {
  const there = new Set(readings.map(({ device, seq, index }) => `${device} ${seq}.${index}`));
  const texts: string[] = [];
  for (const { state, excused, device, seq, checksums } of ledger.all()) {
    if (state !== 'confirmed' || excused) continue;
    for (const index of checksums.keys()) {
      const name = `${device} ${seq}.${index}`;
      if (!there.has(name)) texts.push(name);
    }
  }
  return texts;
}

function checkContent(ledger: Ledger, reading: Reading, wrong: Findings): void {
  const { device, seq, index } = reading;
  const message = ledger.find(device, seq);
  const name = `${device} ${seq}.${index}`;
  const checksum = message?.checksums[index];
  if (checksum === undefined) wrong.add('never sent', name);
  else if (checksum !== reading.checksum) wrong.add('changed on its way', name);
  // Of a message with several readings the others may be there.
  if (message?.state === 'refused' && message.checksums.length === 1)
    wrong.add('refused and delivered', `${name} ${message.code}`);
}

function checkCopies(readings: readonly Reading[], wrong: Findings) {
  const connections = new Map<string, { partition: number; seen: Set<string>; last: Reading | undefined }>();
  const places = new Map<string, Set<string>>();
  let duplicates = 0;
  for (const reading of readings) {
    const { connection, device, partition, seq, index } = reading;
    const name = `${device} ${seq}.${index}`;
    places.set(name, (places.get(name) ?? new Set()).add(connection));
    const known = connections.get(connection) ?? { partition, seen: new Set<string>(), last: undefined };
    connections.set(connection, known);
    if (known.seen.has(name)) {
      duplicates++;
      continue;
    }
    known.seen.add(name);
    const { last } = known;
    if (last !== undefined && (seq < last.seq || (seq === last.seq && index < last.index)))
      wrong.add('out of order', `${connection}: ${name} after ${last.seq}.${last.index}`);
    if (partition !== known.partition) wrong.add('in two partitions', `${connection}: ${name}`);
    known.last = reading;
  }
  const resent = [...places.values()].filter(({ size }) => size > 1).length;
  return { duplicates, resent, delivered: places.size };
}

/** Each message that was refused after its acceptance has a record there with its reason. */
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
