// One device: it sends readings, reconnects as docs/protocol.md asks, and sends again what was not confirmed.
import type { Identity } from '../judge/facts.ts';
import type { Random } from '../world/random.ts';
import type { World } from '../world/world.ts';
import { drawBadLine } from './bad-lines.ts';
import { Connection, type Ending } from './connection.ts';
import { drawHabits, type Habits } from './habits.ts';
import { Message } from './message.ts';
import { TOO_MANY_ERRORS } from './reply-rules.ts';
import { spell } from './spelling.ts';

export interface DeviceOptions {
  readonly world: World;
  /** How many processes of the gateway were killed so far. */
  readonly to: { readonly host: string; readonly port: number };
  readonly index: number;
  readonly zipcode: string;
  readonly maxLineBytes: number;
  /** Called when a reply says how long to stay away. */
  readonly toldToWait: (code: string, waitMs: number) => void;
}

/** Waits after a connection that ended without a word: 1 s, doubled each time up to this. */
const LONGEST_WAIT_MS = 8_000;
/** The wait after `too_many_errors`. */
const AFTER_ERRORS_MS = 60_000;
/** The device gives up a connection over which it hears nothing. */
const SILENCE_MS = 40_000;
const KEEPALIVE_MS = 8_000;
const NOT_READING_MS = [500, 6_000] as const;
/** A line is torn for so long, less than TCP_LINE_TIMEOUT. */
const TORN_MS = [1, 4_000] as const;
/** Bytes of a line around its readings, and of a reading around its padding, at most, with white space. */
const LINE_HEAD = 150;
const READING_HEAD = 300;
/** A string of a reading has at most 1024 characters. */
const FIELD = 1000;

export class Device {
  readonly messages: Message[] = [];
  readonly lies: string[] = [];
  padding = 0;
  reconnects = 0;
  readonly #options: DeviceOptions;
  readonly #random: Random;
  readonly #habits: Habits;
  readonly #name: string;
  readonly #identity: Identity;
  #connection: Connection | undefined;
  /** Older connections with the same device_id, which the gateway has to end. */
  readonly #elders = new Set<Connection>();
  /** In the order of their numbers. */
  #open: Message[] = [];
  #number = 0;
  #waitMs = 1_000;
  #isClosed = false;

  constructor(options: DeviceOptions) {
    this.#options = options;
    this.#name = `device-${options.index}`;
    this.#random = options.world.random(this.#name);
    this.#habits = drawHabits(this.#random);
    this.#identity = {
      zipcode: options.zipcode,
      // No other device is there.
      city: `Örebro "${options.index}"`,
      deviceId: this.#habits.hasDeviceId ? this.#name : undefined,
    };
  }

  /** Messages that asked for an answer and have none, and connections that the gateway has to end. */
  get open(): number {
    this.#forgetAnswered();
    return this.#open.length + this.#elders.size;
  }

  get burst(): number {
    return this.#habits.burst;
  }

  connect(): void {
    if (this.#isClosed) return;
    const { world, to } = this.#options;
    const { zipcode, city, deviceId } = this.#identity;
    const connection = new Connection(
      {
        world,
        to,
        from: this.#name,
        identify: `${JSON.stringify({ type: 'identify', zipcode, city, device_id: deviceId })}\n`,
      },
      {
        identified: () => {
          if (!this.#habits.isHasty) this.#sendAgain();
        },
        answered: () => this.#forgetAnswered(),
        ended: (ending) => this.#ended(connection, ending),
        lie: (text) => this.lies.push(text),
      },
    );
    this.#connection = connection;
    if (this.#habits.isHasty) this.#sendAgain();
    world.after(KEEPALIVE_MS, () => this.#keepAlive(connection));
  }

  /** Sends new messages, if the connection takes them. */
  send(count: number): void {
    const connection = this.#connection;
    if (connection === undefined || connection.isEnding) return;
    if (!connection.isIdentified && !this.#habits.isHasty) return;
    const { badLines, cutLines, halfCloses, stopsReading, tears, window } = this.#habits;
    for (let left = count; left > 0 && this.open < window; left--) {
      if (badLines > 0 && connection.isIdentified && this.#random.chance(badLines))
        connection.sendBad(drawBadLine(this.#random, { device: this.#name, nextSeq: () => ++this.#number }));
      connection.send([this.#issue()]);
    }
    if (stopsReading > 0 && this.#random.chance(stopsReading))
      connection.stopReading(this.#random.between(...NOT_READING_MS));
    if (tears > 0 && this.#random.chance(tears)) connection.tear(this.#random.between(...TORN_MS));
    if (cutLines > 0 && this.#random.chance(cutLines)) connection.cutLine();
    else if (halfCloses > 0 && this.#random.chance(halfCloses)) connection.halfClose();
  }

  /** Opens a second connection with the same device_id and keeps the first: the gateway has to end that. */
  twin(): void {
    const elder = this.#connection;
    if (elder === undefined || elder.isEnding || !elder.isIdentified || !this.#habits.hasDeviceId) return;
    this.#elders.add(elder);
    this.connect();
  }

  /** Reads no replies for a while, and sends so many keepalives meanwhile. */
  deafen(forMs: number, keepalives: number): void {
    const connection = this.#connection;
    if (connection === undefined || connection.isEnding || !connection.isIdentified) return;
    connection.stopReading(forMs);
    connection.keepAlive(keepalives);
  }

  halfClose(): void {
    if (this.#connection?.isEnding === false) this.#connection.halfClose();
  }

  close(): void {
    this.#isClosed = true;
    for (const connection of this.#elders) connection.destroy();
    this.#connection?.destroy();
  }

  #issue(): Message {
    const number = ++this.#number;
    const { hasSeq, readings, spells } = this.#habits;
    const count = this.#random.pick(readings);
    const texts = Array.from({ length: count }, (_, index) =>
      this.#reading(number, { index, readings: count }),
    );
    const spelled = { seq: hasSeq ? number : undefined, readings: texts };
    const line = spell(this.#random, !spells, spelled);
    const message = new Message(
      { device: this.#name, number },
      { ...spelled, identity: this.#identity, line },
    );
    this.messages.push(message);
    if (hasSeq) this.#open.push(message);
    return message;
  }

  #reading(number: number, { index, readings }: { index: number; readings: number }): string {
    let fields = '';
    // A longer line would end the connection; before identify it has at most 8 KiB.
    const fits = Math.floor((this.#options.maxLineBytes - LINE_HEAD) / readings - READING_HEAD);
    const padding = this.#habits.isHasty ? 0 : Math.min(this.padding, Math.max(0, fits));
    for (let left = padding, n = 0; left > 0; left -= FIELD, n++)
      fields += `,"p${n}":"${this.#text(Math.min(left, FIELD))}"`;
    const temperature = (this.#random.between(-2000, 4500) / 100).toFixed(2);
    return `{"d":"${this.#name}","m":${number},"i":${index},"t":${temperature}${fields}}`;
  }

  /** Hardly compresses. */
  #text(length: number): string {
    return this.#random
      .bytes(Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length);
  }

  #sendAgain(): void {
    this.#forgetAnswered();
    this.#connection?.send(this.#open);
  }

  #forgetAnswered(): void {
    if (this.#open.some(({ state }) => state !== 'open'))
      this.#open = this.#open.filter(({ state }) => state === 'open');
  }

  #keepAlive(connection: Connection): void {
    if (connection.isClosed || this.#isClosed) return;
    const { world } = this.#options;
    if (world.nowMs - connection.lastHeardMs > SILENCE_MS) {
      connection.destroy();
      return;
    }
    if (connection.isIdentified && !connection.isEnding) connection.keepAlive();
    world.after(KEEPALIVE_MS, () => this.#keepAlive(connection));
  }

  #ended(connection: Connection, { code, reconnectAfterMs, hadSuccess, wasHalfClosed }: Ending): void {
    this.#elders.delete(connection);
    if (connection !== this.#connection) return;
    this.#connection = undefined;
    this.reconnects++;
    if (code !== undefined && reconnectAfterMs !== undefined)
      this.#options.toldToWait(code, reconnectAfterMs);
    if (hadSuccess || wasHalfClosed) this.#waitMs = 1_000;
    const spread = 1 + this.#random.next() / 2;
    const times = code === 'server_full' || code === 'overloaded' ? 5 : 1;
    const leastMs = code === TOO_MANY_ERRORS ? AFTER_ERRORS_MS : 0;
    const ownMs = Math.max(leastMs, times * this.#waitMs * spread);
    this.#options.world.after(reconnectAfterMs ?? ownMs, () => this.connect(), this.#options.world.outside);
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_WAIT_MS);
  }
}
