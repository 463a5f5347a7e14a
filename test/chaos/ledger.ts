// What devices sent and what they were told, kept outside the gateway: the word that the topic is held against.
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
  /** The code it was refused with. */
  code: string | undefined;
  /** What it sent may be gone for a reason that is not the gateway's, such as a deleted topic. */
  excused = false;
  /** The line, until it needs not be sent again. */
  line: string | undefined;
  /** Where its readings may be. */
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

  /** @param topic that the gateway writes to */
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

  /** A message can be refused after others of its readings were stored: that word is the last. */
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

  /** What was sent so far may be gone: the topic it was in is no more. */
  excuse(): void {
    for (const message of this.all()) message.excused = true;
  }

  /**
   * From now on the gateway writes to another topic. A message that has no word yet may be on the disk for the former
   * one, and its device sends it again: it may be in either topic.
   */
  moveTo(topic: string): void {
    this.#topic = topic;
    for (const message of this.all()) {
      if (message.state === 'open') message.topics = [...message.topics, topic];
    }
  }

  /** The median time from a message to its confirmation since this was last asked. */
  takeMedianLatencyMs(): number {
    const sorted = this.#latenciesMs.splice(0).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  }
}
