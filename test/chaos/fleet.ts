// Simulated devices under load: each writes numbered readings with checksums, reconnects when its connection ends, and
// sends again what was not confirmed. Independent of the load tool on purpose: a mistake there must not hide one here.
import { connect, type Socket } from 'node:net';
import type { Ledger, Message } from './ledger.ts';
import type { Random } from './random.ts';

export interface FleetOptions {
  readonly port: number;
  readonly devices: number;
  /** Given to the devices in turn. */
  readonly zipcodes: number;
}

interface Reply {
  readonly status: string;
  readonly code?: string;
  readonly seq?: number;
}

const TICK_MS = 25;
/** Unconfirmed messages of a device, unless a fault asks for more. */
const WINDOW = 400;
const BURST = 2;
const PADDING: readonly [number, number] = [10, 200];
const RECONNECT_MS: readonly [number, number] = [50, 300];

export class Fleet {
  readonly ledger: Ledger;
  /** Characters of padding in a reading. */
  padding: readonly [from: number, to: number] = PADDING;
  /** Unconfirmed messages after which a device waits. */
  window = WINDOW;
  /** Messages that a device sends at once, at most. */
  burst = BURST;
  readonly #devices: Device[] = [];
  readonly #random: Random;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: FleetOptions, { ledger, random }: { ledger: Ledger; random: Random }) {
    this.ledger = ledger;
    this.#random = random;
    for (let n = 0; n < options.devices; n++) {
      const device = { port: options.port, id: `d${n}`, zipcode: `zip-${n % options.zipcodes}` };
      this.#devices.push(new Device(device, { ledger, random }));
    }
  }

  /** Replies that a correct gateway never sends. */
  get lies(): string[] {
    return this.#devices.flatMap((device) => device.lies);
  }

  get reconnects(): number {
    return this.#devices.reduce((sum, device) => sum + device.reconnects, 0);
  }

  /** Messages without an answer. */
  get open(): number {
    return this.#devices.reduce((sum, device) => sum + device.open, 0);
  }

  /** Devices that are connected and identified. Only they can send, or get an answer. */
  get connected(): number {
    return this.#devices.filter(({ isIdentified }) => isIdentified).length;
  }

  start(): void {
    this.#timer ??= setInterval(() => {
      for (const device of this.#devices) {
        if (device.open < this.window) device.send(this.#random.between(0, this.burst), this.padding);
      }
    }, TICK_MS);
  }

  /** Devices stay connected and repeat unconfirmed messages, but send nothing new. */
  pause(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  /** Goes back to the usual size and number of readings. */
  calm(): void {
    this.padding = PADDING;
    this.window = WINDOW;
    this.burst = BURST;
  }

  /** Sends one reading of about so many bytes between small ones. */
  sendLarge(bytes: number): void {
    for (const device of this.#devices) {
      device.send(2, this.padding);
      device.send(1, [bytes, bytes], 1);
      device.send(2, this.padding);
    }
  }

  close(): void {
    this.pause();
    for (const device of this.#devices) device.close();
  }
}

class Device {
  readonly lies: string[] = [];
  reconnects = 0;
  readonly #port: number;
  readonly #id: string;
  readonly #zipcode: string;
  readonly #ledger: Ledger;
  readonly #random: Random;
  #socket: Socket | undefined;
  #identified = false;
  #seq = 0;
  /** Messages without an answer, in the order in which they were sent on this connection. */
  #unconfirmed: Message[] = [];
  #rest = '';
  #timer: NodeJS.Timeout | undefined;
  #closed = false;

  constructor(
    device: { port: number; id: string; zipcode: string },
    { ledger, random }: { ledger: Ledger; random: Random },
  ) {
    this.#port = device.port;
    this.#id = device.id;
    this.#zipcode = device.zipcode;
    this.#ledger = ledger;
    this.#random = random;
    this.#connect();
  }

  get open(): number {
    return this.#unconfirmed.length;
  }

  get isIdentified(): boolean {
    return this.#identified;
  }

  send(
    messages: number,
    [from, to]: readonly [number, number],
    readings = this.#random.pick([1, 1, 1, 3]),
  ): void {
    if (!this.#identified) return;
    let lines = '';
    for (let left = messages; left > 0; left--) {
      const seq = ++this.#seq;
      const texts = Array.from({ length: readings }, (_, i) => {
        const padding = this.#random.text(this.#random.between(from, to));
        return `{"d":"${this.#id}","m":${seq},"i":${i},"t":21.50,"p":"${padding.slice(0, 1024)}"${rest(padding)}}`;
      });
      const message = this.#ledger.issue(this.#id, seq, texts);
      this.#unconfirmed.push(message);
      lines += message.line;
    }
    this.#socket?.write(lines);
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    this.#socket?.destroy();
  }

  #connect(): void {
    const socket = connect({ port: this.#port, host: '127.0.0.1', noDelay: true });
    this.#socket = socket;
    this.#rest = '';
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk.toString()));
    socket.on('close', () => {
      this.#identified = false;
      if (this.#closed) return;
      this.reconnects++;
      this.#timer = setTimeout(() => this.#connect(), this.#random.between(...RECONNECT_MS));
    });
    socket.write(
      `{"type":"identify","zipcode":"${this.#zipcode}","city":"Beverly Hills","device_id":"${this.#id}"}\n`,
    );
  }

  #onData(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) this.#onReply(JSON.parse(line) as Reply);
  }

  #onReply({ status, code, seq }: Reply): void {
    if (status === 'identified') {
      this.#identified = true;
      // All unconfirmed messages again, under their old numbers on the new connection.
      this.#socket?.write(this.#unconfirmed.map(({ line }) => line ?? '').join(''));
    } else if (status === 'stored') this.#stored(seq ?? Number.NaN);
    else if (status === 'error' && seq !== undefined) this.#refused(seq, code ?? '');
    else if (status !== 'closing') this.lies.push(`${this.#id}: ${status} ${code}`);
  }

  #stored(upTo: number): void {
    const last = this.#unconfirmed.at(-1)?.seq ?? 0;
    if (!(upTo <= Math.max(last, this.#seq))) this.lies.push(`${this.#id} was told that ${upTo} is stored`);
    const next = this.#unconfirmed.findIndex(({ seq }) => seq > upTo);
    const done = this.#unconfirmed.splice(0, next < 0 ? this.#unconfirmed.length : next);
    for (const message of done) this.#ledger.confirm(message);
  }

  #refused(seq: number, code: string): void {
    const message = this.#ledger.find(this.#id, seq);
    if (message === undefined) {
      this.lies.push(`${this.#id}: ${code} for ${seq}, which was never sent`);
      return;
    }
    if (message.state === 'confirmed') this.lies.push(`${this.#id}: ${code} for ${seq} after it was stored`);
    this.#ledger.refuse(message, code);
    this.#unconfirmed = this.#unconfirmed.filter((other) => other !== message);
  }
}

/** More fields for the padding beyond 1024 characters, the limit of a string field. */
function rest(padding: string): string {
  let fields = '';
  for (let at = 1024; at < padding.length; at += 1024)
    fields += `,"p${at / 1024}":"${padding.slice(at, at + 1024)}"`;
  return fields;
}
