// Holds the topic against what the devices sent. A bit for each reading, so that tens of millions fit.
//
// - lost: sent, neither refused nor cut off before its answer, and not in the topic
// - duplicated: a copy beyond the first
// - reordered: after a later one of the same connection (across connections no order is promised)
// - corrupted: of this run by its name, and not as its checksum says; what it was meant to be is lost as well
// - invented: never sent, or refused and there all the same
import { Bitmap } from './bitmap.ts';
import type { DeviceAccount } from './ledger.ts';
import { RecordReader } from './record.ts';

/** All counts are readings, of which a record holds one. */
export interface Verdict {
  /** In the topic, each counted once. */
  readonly delivered: number;
  readonly lost: number;
  readonly duplicated: number;
  readonly reordered: number;
  readonly corrupted: number;
  readonly invented: number;
  /** Unanswered ones that are not there: nobody promised them. */
  readonly unansweredMissing: number;
  /** Why the topic could not be read to its end. Then nobody knows whether the `lost` readings are in it. */
  readonly unread?: string;
  /** Records of others. */
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

  constructor({ run, devices, readings }: { run: string; devices: number; readings: number }) {
    this.#reader = new RecordReader(run);
    this.#maxDevices = devices;
    this.#readings = readings;
  }

  get delivered(): number {
    return this.#delivered;
  }

  /** The next record of its partition. Answers when its reading was due, where that is to be believed. */
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

  /** As things stand: what may still come counts as lost. */
  verdict(accounts: readonly DeviceAccount[]): Verdict {
    // Those of earlier verdicts must not stay.
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
      invented += this.#wrongly(account, numbers, refused, examples);
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

  /** What is there and should not be. */
  #wrongly({ device, sent }: DeviceAccount, numbers: Bitmap, refused: Bitmap, examples: Examples): number {
    let wrong = 0;
    for (const n of numbers.present(sent * this.#readings)) {
      wrong++;
      examples.add('invented', `${nameOf(device, n)}, never sent`);
    }
    // Of a message with several readings Kafka may have taken the others.
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
