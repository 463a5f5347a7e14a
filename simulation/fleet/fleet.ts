// The devices of a history. They share nothing with the load tool on purpose: a mistake there must not hide one here.
import type { World } from '../world/world.ts';
import { Device } from './device.ts';
import type { Message } from './message.ts';
import type { Resuming } from './resumption.ts';
import { Strangers } from './strangers.ts';
import { ToldWaits } from './told-waits.ts';

export interface FleetOptions {
  /** The machine and port of the gateway. */
  readonly host: string;
  readonly port: number;
  readonly devices: number;
  /** Given to the devices in turn. */
  readonly zipcodes: number;
  /** Of each device. */
  readonly messagesPerSecond: number;
  /** TCP_MAX_LINE_BYTES of the gateway. */
  readonly maxLineBytes: number;
  /** TCP_IDENTIFY=device_id: every device has one, and some have no zipcode or no city. */
  readonly needsDeviceId?: boolean | undefined;
  /** Whether devices with a device_id resume. */
  readonly resuming?: Resuming | undefined;
  /** Whether the gateway has lived since then, over orderly restarts as well. */
  readonly remembersSince?: ((ms: number) => boolean) | undefined;
  /** TCP_JOB_QUEUE_FULL=drop. */
  readonly dropsLines?: boolean | undefined;
}

export class Fleet {
  readonly #world: World;
  readonly #options: FleetOptions;
  readonly #devices: readonly Device[];
  readonly #strangers: Strangers;
  readonly #waits = new ToldWaits();
  #isSending = false;
  #isClosed = false;
  #speed = 1;

  constructor(world: World, options: FleetOptions) {
    this.#world = world;
    this.#options = options;
    const {
      host,
      port,
      devices,
      zipcodes,
      maxLineBytes,
      needsDeviceId,
      resuming,
      remembersSince,
      dropsLines,
    } = options;
    const to = { host, port };
    this.#strangers = new Strangers({ world, to, random: world.random('strangers') });
    this.#devices = Array.from(
      { length: devices },
      (_, index) =>
        new Device({
          world,
          to,
          index,
          zipcode: `zip-${index % zipcodes}`,
          maxLineBytes,
          needsDeviceId,
          resuming,
          remembersSince,
          dropsLines,
          toldToWait: (code, waitMs) => this.#waits.told(code, waitMs, world.nowMs),
        }),
    );
  }

  /** Messages that asked for an answer and have none, and connections that the gateway has to end. */
  get open(): number {
    return this.#devices.reduce((sum, device) => sum + device.open, 0);
  }

  /** Replies that no gateway may send. */
  get lies(): string[] {
    return [...this.#devices.flatMap((device) => device.lies), ...this.#strangers.lies, ...this.#waits.lies];
  }

  /**
   * By connection_id. A later connection of the same lineage was told all that the earlier ones have written, and may
   * write no copy of it.
   */
  get lineages(): Map<string, string> {
    const all = new Map<string, string>();
    if (this.#options.dropsLines === true) return all;
    for (const { name, lineages } of this.#devices)
      for (const [connection, lineage] of lineages) all.set(connection, `${name} ${lineage}`);
    return all;
  }

  get reconnects(): number {
    return this.#devices.reduce((sum, device) => sum + device.reconnects, 0);
  }

  *messages(): Generator<Message> {
    for (const device of this.#devices) yield* device.messages;
  }

  start(): void {
    this.#isSending = true;
    const random = this.#world.random('fleet');
    for (const device of this.#devices) {
      this.#later(random.between(0, 1_000), () => device.connect());
      this.#later(random.between(0, 2_000), () => this.#tick(device));
    }
  }

  /** Devices stay connected and send again what is not confirmed, but nothing new. */
  pause(): void {
    this.#isSending = false;
  }

  /** Each device sends so many messages at once. */
  burst(messages: number): void {
    for (const device of this.#devices) device.send(messages);
  }

  /** The device opens a second connection with its device_id, if it has one. */
  twin(device: number): void {
    this.#devices[device]?.twin();
  }

  /** The device reads no replies for a while, and sends so many keepalives at once. */
  deafen(device: number, forMs: number, keepalives: number): void {
    this.#devices[device]?.deafen(forMs, keepalives);
  }

  /** The device ends its sending side, and waits for the rest of its replies. */
  halfClose(device: number): void {
    this.#devices[device]?.halfClose();
  }

  /** Peers that are no devices come. */
  strangers(count: number): void {
    this.#strangers.come(count);
  }

  /** Further bytes of each reading. */
  setPadding(bytes: number): void {
    for (const device of this.#devices) device.padding = bytes;
  }

  /** 1 is the usual speed. */
  setSpeed(times: number): void {
    this.#speed = times;
  }

  close(): void {
    this.#isClosed = true;
    this.pause();
    this.#strangers.close();
    for (const device of this.#devices) device.close();
  }

  #tick(device: Device): void {
    if (this.#isClosed || !this.#isSending) return;
    device.send(device.burst);
    const everyMs = (1_000 * device.burst) / (this.#options.messagesPerSecond * this.#speed);
    const spread = this.#world.random('fleet').next() + 0.5;
    this.#later(everyMs * spread, () => this.#tick(device));
  }

  #later(ms: number, work: () => void): void {
    this.#world.after(ms, work, this.#world.outside);
  }
}
