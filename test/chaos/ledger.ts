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

  constructor(device: string, seq: number, readings: readonly string[]) {
    this.device = device;
    this.seq = seq;
    this.checksums = readings.map((text) => crc32(text));
    const data = readings.length === 1 ? readings[0] : `[${readings}]`;
    this.line = `{"type":"metrics","seq":${seq},"data":${data}}\n`;
  }
}

export class Ledger {
  readonly #messages = new Map<string, Map<number, Message>>();
  readonly #latenciesMs: number[] = [];
  issued = 0;
  confirmed = 0;
  refused = 0;

  issue(device: string, seq: number, readings: readonly string[]): Message {
    const message = new Message(device, seq, readings);
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

  /** The median time from a message to its confirmation since this was last asked. */
  takeMedianLatencyMs(): number {
    const sorted = this.#latenciesMs.splice(0).sort((a, b) => a - b);
    return sorted[Math.floor(sorted.length / 2)] ?? 0;
  }
}
