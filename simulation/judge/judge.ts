// Holds what devices sent and heard against the brokers' logs, at the end of a history in which every fault is healed.
// It shares no code with the gateway. Each rule is a promise of docs/delivery-guarantees.md or docs/protocol.md.
import type { Excuse, Finding, SentMessage, TopicLog } from './facts.ts';
import { Findings } from './findings.ts';
import { nameOf, type Reading, readingIn } from './reading.ts';
import { SeenReadings } from './seen-readings.ts';

export interface JudgedHistory {
  readonly messages: Iterable<SentMessage>;
  /** The logs of the readings topic, oldest first: deleted topics and wiped clusters before the one that is there now. */
  readonly logs: readonly TopicLog[];
  /** The logs of the dead letters in the same order. Undefined if no letters are kept. */
  readonly letters: readonly TopicLog[] | undefined;
  readonly excuses: ReadonlySet<Excuse>;
  /** Readings that may be missing: damaged on the disk, or left there, as the gateways count them. */
  readonly mayMiss: number;
  /** KAFKA_TIMESTAMP=received: a record has the time at which its line came. */
  readonly hasTimeOfReception: boolean;
  /** The partition of a key, as Kafka's own clients choose it. */
  readonly partitionOf: (key: string, partitions: number) => number;
  /** Each number of partitions that the topic had. */
  readonly partitionCounts: readonly number[];
  /** KAFKA_KEY; zipcode if it is left out. */
  readonly recordKey?: string | undefined;
  /** Of devices that resume, by connection_id: connections of one lineage write no reading twice. */
  readonly lineages?: ReadonlyMap<string, string>;
}

/** How many, by the exception that allows them. */
export type Tally = Readonly<Record<string, number>>;

export interface Verdict {
  /** Readings that devices sent. */
  readonly issued: number;
  /** Readings whose device heard `stored`. */
  readonly stored: number;
  /** Distinct readings in the logs. */
  readonly delivered: number;
  /** Stored readings that are in no log. */
  readonly missing: number;
  /** Further copies from the same connection. */
  readonly doubled: number;
  readonly outOfOrder: number;
  /** Readings that came over more than one connection, because devices send again what was not confirmed. */
  readonly resent: number;
  /** The missing ones that an exception allows, by the exception. */
  readonly missingBy: Tally;
  /** The further copies that an exception allows, by the exception. */
  readonly doubledBy: Tally;
  readonly findings: readonly Finding[];
}

/** Characters of a record that a finding shows. */
const SHOWN = 120;
const LOSS: readonly Excuse[] = ['weak-acks', 'unsynced-power-cut', 'failing-disk'];
/** Stored readings that may be missing by their number: bits flipped, or their letters have no topic. */
const COUNTED = 'counted as damaged or refused';

export function judge(history: JudgedHistory): Verdict {
  const wrong = new Findings();
  const ledger = new Map<string, SentMessage>();
  let [issued, stored] = [0, 0];
  for (const message of history.messages) {
    ledger.set(`${message.device} ${message.number}`, message);
    issued += message.checksums.length;
    if (message.state === 'stored') stored += message.checksums.length;
  }
  const seen = new SeenReadings(history.excuses, wrong, history.lineages);
  for (const log of history.logs) {
    seen.beginLog();
    for (const [partition, records] of log.partitions.entries()) {
      for (const record of records) {
        const reading = readingIn(record, partition);
        if (reading === undefined) {
          wrong.add('never sent', record.value.slice(0, SHOWN));
          continue;
        }
        checkContent(reading, ledger, wrong);
        checkRefusal(reading, ledger, wrong);
        checkPlace(reading, history, wrong);
        if (history.hasTimeOfReception && reading.receivedAtMs !== record.timestampMs)
          wrong.add('changed on its way', `${nameOf(reading)} has the time ${record.timestampMs}`);
        seen.add(reading);
      }
    }
  }
  const letters = lettersIn(history, ledger, wrong);
  const { missing, missingBy } = checkMissing(
    history,
    (name) => seen.names.has(name) || letters.has(name),
    wrong,
  );
  if (history.letters !== undefined) checkLetters(history, letters, wrong);
  return {
    issued,
    stored,
    delivered: seen.names.size,
    missing,
    missingBy,
    doubledBy: seen.doubledBy,
    doubled: seen.doubled,
    outOfOrder: seen.outOfOrder,
    resent: seen.resent,
    findings: wrong.list,
  };
}

/** By device and number. */
type Ledger = ReadonlyMap<string, SentMessage>;

const messageOf = ({ device, number }: Reading, ledger: Ledger): SentMessage | undefined =>
  ledger.get(`${device} ${number}`);

/** Of a reading in a log or in a letter. */
function checkContent(reading: Reading, ledger: Ledger, wrong: Findings): void {
  const name = nameOf(reading);
  const message = messageOf(reading, ledger);
  const checksum = message?.checksums[reading.index];
  if (message === undefined || checksum === undefined) {
    wrong.add('never sent', name);
    return;
  }
  if (checksum !== reading.checksum || message.seq !== reading.seq) wrong.add('changed on its way', name);
  const said = (['zipcode', 'city', 'deviceId', 'tags'] as const).map((part) => reading[part]);
  const { zipcode, city, deviceId, tags } = message.identity;
  if ([zipcode, city, deviceId, tags].some((part, index) => part !== said[index]))
    wrong.add('the wrong device', `${name}: ${said.join(', ')}`);
  if (!message.sentUnheard && !message.connections.includes(reading.connection))
    wrong.add('over a connection that did not carry it', `${name} over ${reading.connection}`);
}

function checkRefusal(reading: Reading, ledger: Ledger, wrong: Findings): void {
  const message = messageOf(reading, ledger);
  // If the message had several readings, Kafka may have refused one of them and taken the others.
  const isAlone = message?.state === 'refused' && message.checksums.length === 1;
  if (isAlone && message.refusedOver === reading.connection)
    wrong.add('refused and delivered', `${nameOf(reading)} ${message.code}`);
}

/** The key decides the partition. While a topic grows, both numbers of partitions count. */
function checkPlace(
  reading: Reading,
  { partitionOf, partitionCounts, recordKey = 'zipcode' }: JudgedHistory,
  wrong: Findings,
): void {
  const { key, partition } = reading;
  const isRight =
    key === keyOf(reading, recordKey) &&
    partitionCounts.some((count) => partitionOf(key, count) === partition);
  if (!isRight) wrong.add('wrong partition', `${nameOf(reading)} with key ${key} in ${partition}`);
}

function keyOf({ zipcode, deviceId, tags = '{}', connection }: Reading, recordKey: string): string {
  if (recordKey === 'zipcode') return zipcode ?? connection;
  if (recordKey === 'device_id') return deviceId ?? connection;
  const values = JSON.parse(tags) as Record<string, string | undefined>;
  return values[recordKey.slice('tags.'.length)] ?? connection;
}

/** @param isThere in the topic, or refused by Kafka and in the dead letters */
function checkMissing(
  { messages, excuses, mayMiss }: JudgedHistory,
  isThere: (name: string) => boolean,
  wrong: Findings,
): Pick<Verdict, 'missing' | 'missingBy'> {
  const missing: string[] = [];
  for (const { device, number, state, checksums } of messages) {
    if (state !== 'stored') continue;
    for (const index of checksums.keys()) {
      const name = nameOf({ device, number, index });
      if (!isThere(name)) missing.push(name);
    }
  }
  if (missing.length === 0) return { missing: 0, missingBy: {} };
  const excuse = missing.length <= mayMiss ? COUNTED : LOSS.find((one) => excuses.has(one));
  if (excuse !== undefined) return { missing: missing.length, missingBy: { [excuse]: missing.length } };
  for (const name of missing) wrong.add('confirmed and missing', name);
  return { missing: missing.length, missingBy: {} };
}

/** The device that a refused line names. Some spellings hide it. */
const DEVICE_OF_LINE = /"d":"(device-[^"]*)"/;

/** The readings that have a letter. */
function lettersIn({ letters = [] }: JudgedHistory, ledger: Ledger, wrong: Findings): Set<string> {
  const there = new Set<string>();
  const owners = new Map<string, string>();
  for (const { connections, device } of ledger.values())
    for (const connection of connections) owners.set(connection, device);
  for (const { partitions } of letters) {
    for (const [partition, records] of partitions.entries()) {
      for (const record of records) {
        const reason = record.headers.find(([name]) => name === 'reason')?.[1] ?? '';
        if (reason === '') wrong.add('a letter without its reason', record.value.slice(0, SHOWN));
        const reading = readingIn(record, partition);
        if (reading !== undefined) {
          there.add(nameOf(reading));
          checkContent(reading, ledger, wrong);
        }
        const named = reading?.device ?? DEVICE_OF_LINE.exec(record.value)?.[1];
        const connection = record.headers.find(([name]) => name === 'connection_id')?.[1] ?? '';
        const owner = owners.get(connection) ?? named;
        if (named !== undefined && named !== owner)
          wrong.add('the wrong device', `a letter of ${named} over ${connection}, of ${owner}`);
      }
    }
  }
  return there;
}

/** A record that Kafka refused has a letter. That of a refused line may be dropped. */
function checkLetters({ messages }: JudgedHistory, letters: ReadonlySet<string>, wrong: Findings): void {
  for (const { device, number, state, code, checksums, isRefusedByKafka } of messages) {
    if (state !== 'refused' || isRefusedByKafka !== true) continue;
    const hasLetter = checksums.some((_, index) => letters.has(nameOf({ device, number, index })));
    if (!hasLetter) wrong.add('a refused record without its letter', `${device} ${number} ${code}`);
  }
}
