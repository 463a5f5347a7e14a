// The process with the bench's devices. They send exactly the requested number of precomputed lines, at full speed or
// at a rate.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import type { Target } from '../../load/plan.ts';
import { serveCalls } from '../../load/processes/child.ts';
import { type Percentiles, percentilesOf } from '../statistics.ts';
import { Device } from './device.ts';
import { LineSource } from './line-source.ts';
import { FIRST_SEQ, type LineForm } from './lines.ts';

export interface LoadOptions extends Pick<Target, 'port' | 'tls'> {
  readonly connections: number;
  readonly linesPerWrite: number;
  /** Ask for confirmations. Then `send` waits for them. */
  readonly seq: boolean;
  /** With `seq`, at full speed: unconfirmed lines that a device may have. Absent: no limit but the socket's. */
  readonly window?: number | undefined;
  /** Absent: flat readings. Plain lines go to a port of their own, without identify. */
  readonly form?: LineForm | undefined;
  /** False: the devices stay silent until `identify`. */
  readonly identify?: boolean | undefined;
}

export interface SendOptions {
  readonly count: number;
  /** Absent: at full speed. */
  readonly perSecond?: number | undefined;
  /** With a rate: each line carries its due time, for a consumer. */
  readonly stamped?: boolean | undefined;
  /** Lines of a write, unless they are stamped. With a rate they are due together. Absent: 1 with a rate, else as connected. */
  readonly linesPerWrite?: number | undefined;
}

export interface SendResult {
  readonly count: number;
  /** User and system time of this process. */
  readonly cpuSeconds: number;
  /** With `seq` and a rate: from the due time of a line to its `stored`. */
  readonly storedMs?: Percentiles;
}

export interface LoadCalls {
  connect(options: LoadOptions): Promise<void>;
  /** After `connect` with `identify: false`. */
  identify(args: null): Promise<void>;
  send(options: SendOptions): Promise<SendResult>;
  /** Sends at a rate until `finishPaced`. */
  startPaced(options: { readonly perSecond: number }): Promise<void>;
  finishPaced(options: Record<string, never>): Promise<SendResult>;
}

const STORED_TIMEOUT_MS = 20_000;
const STORED_POLL_MS = 2;
const TICK_MS = 1;
const LOWEST_ZIPCODE = 10_000;
const ZIPCODES = 90_000;
const ZIPCODE_STEP = 37;
/** Far below the number of source ports of an address. */
const CONNECTIONS_PER_ADDRESS = 4_000;
/** Devices that connect or identify concurrently. */
const AT_ONCE = 64;

const devices: Device[] = [];
let options: LoadOptions;
/** Made at their first use, which is before the measured part. */
const sources: { plain?: LineSource; stamped?: LineSource } = {};
let nextDevice = 0;
let sentBefore = 0;
let onRoom = (): void => {};
let endless: { readonly sent: Promise<SendResult>; stop(): void } | undefined;
/** Due times of the lines with a `seq`, while lines are sent at a rate. */
const due = new Map<Device, { readonly firstSeq: number; readonly atMs: number[] }>();
let storedMs: number[] = [];
let fail = (_: Error): void => {};
const failed = new Promise<never>((_, reject) => {
  fail = reject;
});
failed.catch(() => {});

serveCalls<LoadCalls>({
  async connect(wanted) {
    options = wanted;
    await eachDevice(options.connections, async (index) => {
      const { port, tls } = options;
      const device = new Device({ port, ...(tls && { tls }), localAddress: addressOf(index) }, FIRST_SEQ, {
        drained: () => onRoom(),
        stored: onStored,
        failed: fail,
      });
      devices[index] = device;
      await device.connected;
      if (options.form !== 'plain' && (options.identify ?? true)) await device.identify(zipcodeOf(index));
    });
  },

  async identify() {
    await eachDevice(devices.length, async (index) => devices[index]?.identify(zipcodeOf(index)));
  },

  send({ count, perSecond, stamped = false, linesPerWrite }) {
    return sendAll(() =>
      perSecond === undefined
        ? sendFast(count, linesPerWrite ?? options.linesPerWrite)
        : sendPaced({ until: () => count, perSecond, stamped, linesPerWrite: linesPerWrite ?? 1 }),
    );
  },

  async startPaced({ perSecond }) {
    let end = Number.POSITIVE_INFINITY;
    const stop = (): void => {
      end = 0;
    };
    const sent = sendAll(() => sendPaced({ until: () => end, perSecond, stamped: false, linesPerWrite: 1 }));
    sent.catch(() => {});
    endless = { sent, stop };
  },

  async finishPaced() {
    if (endless === undefined) throw new Error('start first');
    endless.stop();
    return endless.sent;
  },
});

/** Resolves when `work` is done for every device. Rejects with the first failure. */
async function eachDevice(count: number, work: (index: number) => Promise<void>): Promise<void> {
  let next = 0;
  const one = async (): Promise<void> => {
    while (next < count) await work(next++);
  };
  const all = Promise.all(Array.from({ length: AT_ONCE }, one));
  await Promise.race([all, failed]);
}

const zipcodeOf = (index: number): string => String(LOWEST_ZIPCODE + ((index * ZIPCODE_STEP) % ZIPCODES));
const addressOf = (index: number): string => `127.0.0.${1 + Math.floor(index / CONNECTIONS_PER_ADDRESS)}`;

async function sendAll(send: () => Promise<number>): Promise<SendResult> {
  const before = process.cpuUsage();
  storedMs = [];
  const count = await Promise.race([send(), failed]);
  sentBefore += count;
  if (options.seq) await Promise.race([allStored(), failed]);
  due.clear();
  const { user, system } = process.cpuUsage(before);
  const cpuSeconds = (user + system) / 1e6;
  return { count, cpuSeconds, ...(storedMs.length > 0 && { storedMs: percentilesOf(storedMs) }) };
}

/** The devices write in turn, beginning after the last device of the previous call. Skips devices that are full. */
async function sendFast(count: number, linesPerWrite: number): Promise<number> {
  const { seq, window = Number.POSITIVE_INFINITY } = options;
  const source = sourceOf({ stamped: false });
  let left = count;
  while (left > 0) {
    const room = new Promise<void>((resolve) => {
      onRoom = resolve;
    });
    let wrote = false;
    for (let passed = 0; passed < devices.length; passed++) {
      const device = devices[nextDevice++ % devices.length];
      if (device === undefined) throw new Error('connect first');
      const lines = Math.min(linesPerWrite, left);
      if (device.blocked || device.unconfirmed + lines > window) continue;
      device.write(source.take(lines, device.nextSeq));
      if (seq) device.nextSeq += lines;
      left -= lines;
      wrote = true;
      if (left === 0) return count;
    }
    await (wrote ? turn() : room);
  }
  return count;
}

function sourceOf({ stamped }: { readonly stamped: boolean }): LineSource {
  const kind = stamped ? 'stamped' : 'plain';
  sources[kind] ??= new LineSource({ form: options.form, seq: options.seq, stamped });
  return sources[kind];
}

interface Pace {
  /** The total count, read before each round. */
  readonly until: () => number;
  readonly perSecond: number;
  readonly stamped: boolean;
  readonly linesPerWrite: number;
}

/**
 * Each message keeps its due time, however late it is written. So a stall counts for every message that was due during
 * the stall (no coordinated omission).
 */
async function sendPaced({ until, perSecond, stamped, linesPerWrite }: Pace): Promise<number> {
  const lines = sourceOf({ stamped });
  const startMs = now();
  let sent = 0;
  while (sent < until()) {
    const passedMs = now() - startMs;
    const end = Math.min(until(), 1 + Math.floor((passedMs * perSecond) / 1000));
    for (let some = 1; sent < end; sent += some) {
      some = Math.min(linesPerWrite, until() - sent);
      const device = devices[nextDevice++ % devices.length];
      if (device === undefined) throw new Error('connect first');
      const dueMs = startMs + (sent * 1000) / perSecond;
      if (options.seq) for (let line = 0; line < some; line++) noteDue(device, dueMs);
      const seq = device.nextSeq;
      if (options.seq) device.nextSeq += some;
      const stamp = { n: FIRST_SEQ + sentBefore + sent, sentMs: dueMs };
      device.write(stamped ? lines.takeStamped(stamp, seq) : lines.take(some, seq));
    }
    await sleep(TICK_MS);
  }
  return sent;
}

function noteDue(device: Device, dueMs: number): void {
  const lines = due.get(device);
  if (lines === undefined) due.set(device, { firstSeq: device.nextSeq, atMs: [dueMs] });
  else lines.atMs.push(dueMs);
}

function onStored(device: Device, before: number): void {
  onRoom();
  const lines = due.get(device);
  if (lines === undefined) return;
  const nowMs = now();
  for (let seq = Math.max(before + 1, lines.firstSeq); seq <= device.stored; seq++) {
    storedMs.push(nowMs - (lines.atMs[seq - lines.firstSeq] ?? Number.NaN));
  }
}

/** Milliseconds since 1970 with fractions, comparable with the consumer's process. */
function now(): number {
  return performance.timeOrigin + performance.now();
}

async function allStored(): Promise<void> {
  const deadline = performance.now() + STORED_TIMEOUT_MS;
  for (;;) {
    const behind = devices.filter(({ unconfirmed }) => unconfirmed !== 0);
    if (behind.length === 0) return;
    if (performance.now() > deadline)
      throw new Error(`${behind.length} devices still wait for confirmations`);
    await sleep(STORED_POLL_MS);
  }
}
