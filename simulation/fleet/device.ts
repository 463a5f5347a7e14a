// One device: it sends readings, reconnects as docs/protocol.md asks, and sends again what was not confirmed.
import type { Identity } from '../judge/facts.ts';
import type { Random } from '../world/random.ts';
import type { World } from '../world/world.ts';
import { drawBadLine } from './bad-lines.ts';
import { Connection, type Ending } from './connection.ts';
import { drawHabits, type Habits } from './habits.ts';
import { drawIdentity, withTags } from './identity.ts';
import { Message } from './message.ts';
import { TOO_MANY_ERRORS } from './reply-rules.ts';
import { type Resuming, Resumption } from './resumption.ts';
import { spell } from './spelling.ts';

export interface DeviceOptions {
  readonly world: World;
  /** How many processes of the gateway were killed so far. */
  readonly to: { readonly host: string; readonly port: number };
  readonly index: number;
  readonly zipcode: string;
  readonly maxLineBytes: number;
  /** TCP_IDENTIFY=device_id. */
  readonly needsDeviceId?: boolean | undefined;
  readonly resuming?: Resuming | undefined;
  /** Whether the gateway has lived since then, over orderly restarts as well. */
  readonly remembersSince?: ((ms: number) => boolean) | undefined;
  /** TCP_JOB_QUEUE_FULL=drop. */
  readonly dropsLines?: boolean | undefined;
  /** Called when a reply says how long to stay away. */
  readonly toldToWait: (code: string, waitMs: number) => void;
}

/** Of a device that resumes: chances that it is hasty, that its connection breaks at each message, and the wait after it. */
const RESUMES_HASTILY = 0.4;
const BREAKS = [0, 0.01, 0.05];
const AFTER_BREAK_MS = [5, 200, 1_000];
/** A hasty device writes lines that fit before it is identified. */
const HASTY_READINGS = 5;
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
/** Characters of one string of padding. */
const FIELD = 1000;
/** Every third message has nested values. Which one does not depend on chance, so that all else is drawn as before. */
const NESTED_EVERY = 3;

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
  readonly #resumption: Resumption;
  /** Decides what only devices that resume do, so that all else is drawn as before. */
  readonly #resumeRandom: Random;
  readonly #breaks: number;
  #afterBreakMs: number | undefined;
  /** The number of the first message of which `seq` is 1, less 1. */
  #seqFrom = 0;
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
    const { resuming = 'never', remembersSince = () => false, dropsLines = false } = options;
    const drawn = drawHabits(this.#random);
    const habits = { ...drawn, hasDeviceId: drawn.hasDeviceId || options.needsDeviceId === true };
    const random = options.world.random(`${this.#name} resumes`);
    const canResume = habits.hasDeviceId && resuming !== 'never';
    this.#resumeRandom = random;
    this.#resumption = new Resumption({
      random,
      resuming: canResume ? resuming : 'never',
      remembersSince,
      dropsLines,
    });
    this.#breaks = canResume ? random.pick(BREAKS) : 0;
    const isHasty = canResume && Math.max(...habits.readings) <= HASTY_READINGS;
    this.#habits = isHasty && random.chance(RESUMES_HASTILY) ? { ...habits, isHasty } : habits;
    this.#identity = drawIdentity(options, this.#habits.hasDeviceId ? this.#name : undefined);
  }

  /** Messages that asked for an answer and have none, and connections that the gateway has to end. */
  get open(): number {
    this.#forgetAnswered();
    return this.#open.length + this.#elders.size;
  }

  get lineages(): ReadonlyMap<string, number> {
    return this.#resumption.lineages;
  }

  get name(): string {
    return this.#name;
  }

  get burst(): number {
    return this.#habits.burst;
  }

  connect(): void {
    if (this.#isClosed) return;
    const { world, to } = this.#options;
    const { zipcode, city, deviceId, tags } = this.#identity;
    this.#forgetAnswered();
    const { resumes, beginsAnew } = this.#resumption.next(this.#open.length === 0);
    if (beginsAnew) this.#seqFrom = this.#number;
    const resume = resumes || undefined;
    const connection = new Connection(
      {
        world,
        to,
        from: this.#name,
        identify: `${withTags({ type: 'identify', zipcode, city, device_id: deviceId, resume }, tags)}\n`,
        resumes,
      },
      {
        identified: (told) => {
          this.#resumed(connection, { resumed: resumes, told });
          if (!this.#habits.isHasty) this.#sendAgain();
        },
        answered: () => this.#forgetAnswered(),
        ended: (ending) => this.#ended(connection, ending),
        lie: (text) => this.lies.push(text),
      },
    );
    this.#connection = connection;
    this.#resumption.made(world.nowMs, { resumes, isHasty: this.#habits.isHasty });
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
        connection.sendBad(
          drawBadLine(this.#random, { device: this.#name, nextSeq: () => ++this.#number - this.#seqFrom }),
        );
      connection.send([this.#issue()]);
    }
    if (stopsReading > 0 && this.#random.chance(stopsReading))
      connection.stopReading(this.#random.between(...NOT_READING_MS));
    if (tears > 0 && this.#random.chance(tears)) connection.tear(this.#random.between(...TORN_MS));
    if (cutLines > 0 && this.#random.chance(cutLines)) connection.cutLine();
    else if (halfCloses > 0 && this.#random.chance(halfCloses)) connection.halfClose();
    if (this.#breaks > 0 && this.#resumeRandom.chance(this.#breaks) && !connection.isEnding)
      this.#break(connection);
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
    const spelled = { seq: hasSeq ? number - this.#seqFrom : undefined, readings: texts };
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
    const nested =
      number % NESTED_EVERY === 0
        ? `,"n":{"position":{"lat":${temperature},"lon":-0.50},"axles":[7200,[],{"m":${number}},1E2]}`
        : '';
    return `{"d":"${this.#name}","m":${number},"i":${index},"t":${temperature}${nested}${fields}}`;
  }

  /** Hardly compresses. */
  #text(length: number): string {
    return this.#random
      .bytes(Math.ceil(length / 2))
      .toString('hex')
      .slice(0, length);
  }

  #break(connection: Connection): void {
    this.#afterBreakMs = this.#resumeRandom.pick(AFTER_BREAK_MS);
    connection.break(this.#resumeRandom.chance(0.5));
  }

  #resumed(
    connection: Connection,
    answer: { readonly resumed: boolean; readonly told: number | null | undefined },
  ): void {
    const { told } = answer;
    const problem = this.#resumption.heard({ connection, ...answer }, this.#options.world.nowMs);
    const where = `${this.#name} on connection ${connection.id}`;
    if (problem !== undefined) this.lies.push(`${where}: ${problem}`);
    if (typeof told !== 'number') return;
    const last = this.messages.findLast(({ seq, number }) => seq === told && number > this.#seqFrom);
    if (last?.wasSentBefore(connection.id) !== true)
      this.lies.push(`${where}: stored_seq ${told}, which was not sent before`);
    // What a hasty device has sent again by now has to be answered.
    if (this.#habits.isHasty) return;
    for (const message of this.#open) if ((message.seq ?? 0) <= told) message.stored();
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
    if (code === 'replaced') this.#resumption.replaced();
    const afterBreakMs = this.#afterBreakMs;
    this.#afterBreakMs = undefined;
    this.reconnects++;
    if (code !== undefined && reconnectAfterMs !== undefined)
      this.#options.toldToWait(code, reconnectAfterMs);
    if (hadSuccess || wasHalfClosed) this.#waitMs = 1_000;
    const spread = 1 + this.#random.next() / 2;
    const times = code === 'server_full' || code === 'overloaded' ? 5 : 1;
    const leastMs = code === TOO_MANY_ERRORS ? AFTER_ERRORS_MS : 0;
    const ownMs = Math.max(leastMs, times * this.#waitMs * spread);
    this.#options.world.after(
      reconnectAfterMs ?? afterBreakMs ?? ownMs,
      () => this.connect(),
      this.#options.world.outside,
    );
    this.#waitMs = Math.min(2 * this.#waitMs, LONGEST_WAIT_MS);
  }
}
