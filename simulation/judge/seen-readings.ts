// Follows each connection through the logs of a topic: copies, order, one partition.
import type { Excuse } from './facts.ts';
import type { Findings } from './findings.ts';
import { nameOf, type Reading } from './reading.ts';

/** Excuses for a copy within one log. */
const COPIES: readonly Excuse[] = [
  'weak-acks',
  // The disk may have an old cursor, or a segment that was deleted.
  'unsynced-power-cut',
  'producer-forgotten',
  'recreated-in-flight',
  'refused-then-ended',
  'another-cluster',
  'failing-disk',
  'damage',
];
/** Excuses for a copy in a later log of the topic, whose batch may have been in flight when the former one ended. */
const MOVED_ON: readonly Excuse[] = [
  'weak-acks',
  'topic-recreated',
  'fewer-partitions',
  'another-cluster',
  'damage',
];
const DISORDER: readonly Excuse[] = ['weak-acks', 'recreated-in-flight', 'refused-then-ended'];

interface ConnectionSeen {
  /** Each reading with the last log that it was in. */
  readonly readings: Map<string, number>;
  /** The latest log with one of its readings. */
  log: number;
  partition: number;
  lastInLog: Reading | undefined;
  last: Reading | undefined;
}

export class SeenReadings {
  readonly names = new Set<string>();
  readonly doubledBy: Record<string, number> = {};
  doubled = 0;
  outOfOrder = 0;
  readonly #excuses: ReadonlySet<Excuse>;
  readonly #wrong: Findings;
  readonly #connections = new Map<string, ConnectionSeen>();
  readonly #carriers = new Map<string, string>();
  readonly #lineages: ReadonlyMap<string, string>;
  /** The connection and the log of each reading of a lineage. */
  readonly #written = new Map<string, { readonly connection: string; log: number }>();
  readonly #resent = new Set<string>();
  #log = -1;

  /** @param lineages by connection_id, of devices that resume: a lineage writes no copy */
  constructor(
    excuses: ReadonlySet<Excuse>,
    wrong: Findings,
    lineages: ReadonlyMap<string, string> = new Map(),
  ) {
    this.#excuses = excuses;
    this.#lineages = lineages;
    this.#wrong = wrong;
  }

  get resent(): number {
    return this.#resent.size;
  }

  /** The next readings are of a later life of the topic. */
  beginLog(): void {
    this.#log++;
  }

  add(reading: Reading): void {
    const name = nameOf(reading);
    this.names.add(name);
    const carrier = this.#carriers.get(name);
    if (carrier === undefined) this.#carriers.set(name, reading.connection);
    else if (carrier !== reading.connection) this.#resent.add(name);

    const known = this.#connections.get(reading.connection) ?? {
      readings: new Map(),
      log: -1,
      partition: -1,
      lastInLog: undefined,
      last: undefined,
    };
    this.#connections.set(reading.connection, known);
    if (known.log !== this.#log) {
      known.log = this.#log;
      known.partition = reading.partition;
      known.lastInLog = undefined;
    }
    // With fewer partitions a connection goes on in another one, and in another log: the topic was created again.
    if (reading.partition !== known.partition) {
      this.#wrong.add('in two partitions', `${reading.connection}: ${name}`);
      known.partition = reading.partition;
    }
    const before = known.readings.get(name);
    known.readings.set(name, this.#log);
    if (before !== undefined) {
      this.#copy(reading, before);
      return;
    }
    this.#resumed(reading, name);
    if (isBefore(reading, known.lastInLog) || isBefore(reading, known.last)) {
      this.outOfOrder++;
      if (this.#excuseOf(DISORDER) === undefined)
        this.#wrong.add(
          'out of order',
          `${reading.connection}: ${name} after ${nameOf(known.last ?? reading)}`,
        );
    }
    known.lastInLog = reading;
    known.last = reading;
  }

  /** A device that was told what is stored may have sent it again, but it is not written again. */
  #resumed(reading: Reading, name: string): void {
    const lineage = this.#lineages.get(reading.connection);
    if (lineage === undefined) return;
    const written = this.#written.get(`${lineage} ${name}`);
    if (written === undefined)
      this.#written.set(`${lineage} ${name}`, { connection: reading.connection, log: this.#log });
    else if (written.connection !== reading.connection) this.#copy(reading, written.log);
  }

  #copy(reading: Reading, before: number): void {
    this.doubled++;
    const isMoved = before !== this.#log;
    const excuse = this.#excuseOf(isMoved ? MOVED_ON : COPIES);
    if (excuse !== undefined) {
      this.doubledBy[excuse] = (this.doubledBy[excuse] ?? 0) + 1;
      return;
    }
    const place = `partition ${reading.partition} offset ${reading.offset}`;
    this.#wrong.add('twice', `${reading.connection}: ${nameOf(reading)} again in ${place}`);
  }

  #excuseOf(by: readonly Excuse[]): Excuse | undefined {
    return by.find((excuse) => this.#excuses.has(excuse));
  }
}

const isBefore = (reading: Reading, last: Reading | undefined): boolean =>
  last !== undefined &&
  (reading.number < last.number || (reading.number === last.number && reading.index < last.index));
