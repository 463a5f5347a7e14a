// Compares the topic with the accounts of the devices. Keeps one bit for each reading, so tens of millions fit.
//
// - lost: sent, neither refused nor cut off before its reply, and not in the topic
// - duplicated: each further copy of a reading
// - reordered: behind a later reading of the same connection (order holds within a connection only)
// - corrupted: has the name of this run, but a wrong checksum; the original reading then counts as lost too
// - invented: never sent, or in the topic although it was refused
import { Bitmap } from './bitmap.ts';
import type { DeviceAccount } from './ledger.ts';
import { RecordReader } from './record.ts';

/** All counts are readings. A record holds one reading. */
export interface Verdict {
  /** Different readings in the topic. */
  readonly delivered: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  readonly invented: number;
  /** Readings without a reply that are not in the topic. They were never confirmed, so they are not lost. */
  readonly unansweredMissing: number;
  /** Why the topic could not be read to its end. Then nobody knows whether the `lost` readings are in it. */
  readonly unread?: string;
  /** Records of other senders. */
  readonly foreign: number;
  /** The first few of each kind, as `device 17, n 41`. */
  readonly examples: Readonly<Record<string, readonly string[]>>;
}

interface DeviceSeen {
  readonly numbers: Bitmap;
  connection: number;
  /** The highest `n` of that connection. */
  highest: number;
}

const MAX_EXAMPLES = 5;

export interface VerifierOptions {
  /** The name of the run. */
  readonly run: string;
  readonly devices: number;
  /** Of a message. */
  readonly readings: number;
  /** Of a device. */
  readonly tags?: number;
}

export class TopicVerifier {
  readonly #reader: RecordReader;
  readonly #readings: number;
  readonly #devices: (DeviceSeen | undefined)[] = [];
  readonly #maxDevices: number;
  readonly #examples = new Examples();
  #delivered = 0;
  #duplicated = 0;
  #reordered = 0;
  #corrupted = 0;
  #invented = 0;
  #foreign = 0;

  constructor({ run, devices, readings, tags = 0 }: VerifierOptions) {
    this.#reader = new RecordReader(run, tags);
    this.#maxDevices = devices;
    this.#readings = readings;
  }

  get delivered(): number {
    return this.#delivered;
  }

  /** Takes the next record of its partition. Returns when its reading was due; undefined if it is not a new reading. */
  add(value: Buffer): number | undefined {
    const seen = this.#reader.read(value);
    if (seen.kind !== 'reading') {
      if (seen.kind === 'foreign') this.#foreign++;
      else {
        this.#corrupted++;
        this.#examples.add('corrupted', value.toString('utf8', 0, 300));
      }
      return undefined;
    }
    const { device: index, connection, n, dueUs } = seen;
    if (index >= this.#maxDevices) {
      this.#invented++;
      this.#examples.add('invented', nameOf(index, n));
      return undefined;
    }
    const device = this.#deviceAt(index);
    if (!device.numbers.add(n)) {
      this.#duplicated++;
      this.#examples.add('duplicated', nameOf(index, n));
      return undefined;
    }
    this.#delivered++;
    this.#checkOrder(device, { index, connection, n });
    return dueUs;
  }

  /** The verdict on the records so far. Readings that still arrive later count as lost. */
  verdict(accounts: readonly DeviceAccount[]): Verdict {
    // A copy, so that examples of lost readings do not stay for the next verdict.
    const examples = this.#examples.copy();
    let lost = 0;
    let invented = this.#invented;
    let unansweredMissing = 0;
    for (const account of accounts) {
      const numbers = this.#devices[account.device]?.numbers ?? new Bitmap();
      const refused = new Bitmap(account.refused);
      const missing = this.#missing(account, numbers, refused, examples);
      lost += missing.lost;
      unansweredMissing += missing.unanswered;
      invented += this.#countInvented(account, numbers, refused, examples);
    }
    return {
      delivered: this.#delivered,
      lost,
      duplicated: this.#duplicated,
      reordered: this.#reordered,
      corrupted: this.#corrupted,
      invented,
      unansweredMissing,
      foreign: this.#foreign,
      examples: examples.all,
    };
  }

  #deviceAt(index: number): DeviceSeen {
    const known = this.#devices[index];
    if (known !== undefined) return known;
    const made = { numbers: new Bitmap(), connection: 0, highest: -1 };
    this.#devices[index] = made;
    return made;
  }

  #checkOrder(
    device: DeviceSeen,
    { index, connection, n }: { index: number; connection: number; n: number },
  ) {
    if (connection < device.connection) return;
    if (connection > device.connection) {
      device.connection = connection;
      device.highest = -1;
    }
    if (n < device.highest) {
      this.#reordered++;
      this.#examples.add('reordered', `${nameOf(index, n)} after ${device.highest}`);
    } else {
      device.highest = n;
    }
  }

  #missing(account: DeviceAccount, numbers: Bitmap, refused: Bitmap, examples: Examples) {
    const { device, sent, unanswered, refusedUnknown } = account;
    const all = sent * this.#readings;
    let lost = 0;
    let cutOff = 0;
    for (const n of numbers.missing(all)) {
      const message = Math.floor(n / this.#readings);
      if (refused.has(message)) continue;
      if (unanswered.some(({ from, end }) => message >= from && message < end)) {
        cutOff++;
        continue;
      }
      if (lost++ >= refusedUnknown * this.#readings) examples.add('lost', nameOf(device, n));
    }
    return { lost: Math.max(0, lost - refusedUnknown * this.#readings), unanswered: cutOff };
  }

  /** Readings in the topic that must not be there. */
  #countInvented(
    { device, sent }: DeviceAccount,
    numbers: Bitmap,
    refused: Bitmap,
    examples: Examples,
  ): number {
    let wrong = 0;
    for (const n of numbers.present(sent * this.#readings)) {
      wrong++;
      examples.add('invented', `${nameOf(device, n)}, never sent`);
    }
    // Of a refused message with several readings, some may be in Kafka.
    if (refused.count === 0 || this.#readings > 1) return wrong;
    for (const message of refused.present(0)) {
      if (!numbers.has(message)) continue;
      wrong++;
      examples.add('invented', `${nameOf(device, message)}, refused`);
    }
    return wrong;
  }
}

const nameOf = (device: number, n: number): string => `device ${device}, n ${n}`;

class Examples {
  readonly all: Record<string, string[]> = {};

  add(kind: string, text: string): void {
    const texts = this.all[kind] ?? [];
    this.all[kind] = texts;
    if (texts.length < MAX_EXAMPLES) texts.push(text);
  }

  copy(): Examples {
    const copy = new Examples();
    for (const [kind, texts] of Object.entries(this.all)) copy.all[kind] = [...texts];
    return copy;
  }
}
