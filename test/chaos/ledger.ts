// Notes what the devices sent and what they were told. The judge compares the topics with it.
import { crc32 } from '@node-rs/crc32';

export type MessageState = 'open' | 'confirmed' | 'refused';

/** One message of a device, with one reading or several. */
export class Message {
  readonly device: string;
  readonly seq: number;
  /** CRC-32 of each reading's JSON text. */
  readonly checksums: readonly number[];
  readonly issuedAtMs = performance.now();
  state: MessageState = 'open';
  /** The code of its refusal. */
  code: string | undefined;
  /** Its readings may be gone for a reason outside the gateway, such as a deleted topic. */
  excused = false;
  /** The line, as long as it may have to be sent again. */
  line: string | undefined;
  /** The topics that its readings may be in. */
  topics: readonly string[];

  constructor(device: string, seq: number, readings: readonly string[], topic: string) {
    this.topics = [topic];
    this.device = device;
    this.seq = seq;
    this.checksums = readings.map((text) => crc32(text));
    const data = readings.length === 1 ? readings[0] : `[${readings}]`;
    this.line = `{"type":"metrics","seq":${seq},"data":${data}}\n`;
  }
}

export class Ledger {
  #topic: string;
  readonly #messages = new Map<string, Map<number, Message>>();
  readonly #latenciesMs: number[] = [];
  issued = 0;
  confirmed = 0;
  refused = 0;

  /** @param topic the topic that the gateway writes to */
  constructor(topic: string) {
    this.#topic = topic;
  }

  issue(device: string, seq: number, readings: readonly string[]): Message {
    const message = new Message(device, seq, readings, this.#topic);
    const ofDevice = this.#messages.get(device) ?? new Map<number, Message>();
    this.#messages.set(device, ofDevice.set(seq, message));
    this.issued += readings.length;
    return message;
  }

  confirm(message: Message): void {
    if (message.state !== 'open') return;
    message.state = 'confirmed';
    message.line = undefined;
    this.confirmed += message.checksums.length;
    this.#latenciesMs.push(performance.now() - message.issuedAtMs);
  }

  /** Also after confirm(): a message can be refused after some of its readings were stored. */
  refuse(message: Message, code: string): void {
    if (message.state === 'confirmed') this.confirmed -= message.checksums.length;
    if (message.state !== 'refused') this.refused += message.checksums.length;
    message.state = 'refused';
    message.code = code;
    message.line = undefined;
  }

  find(device: string, seq: number): Message | undefined {
    return this.#messages.get(device)?.get(seq);
  }

  *all(): Generator<Message> {
    for (const ofDevice of this.#messages.values()) yield* ofDevice.values();
  }

  /** All messages so far may be gone, because their topic was deleted. */
  excuse(): void {
    for (const message of this.all()) message.excused = true;
  }

  /**
   * From now on the gateway writes to another topic. A message without an answer may be on disk for the former one, and
   * its device sends it again. So it may be in either topic.
   */
  moveTo(topic: string): void {
    this.#topic = topic;
    for (const message of this.all()) {
      if (message.state === 'open') message.topics = [...message.topics, topic];
    }
  }

  /** The median time from a message to its confirmation, since the last call. */
  takeMedianLatencyMs(): number {
    const sorted = this.#latenciesMs.splice(0).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  }
}
