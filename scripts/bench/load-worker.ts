// The load, in a process of its own: so many devices that write precomputed lines as fast as the server takes
// them, or lines with their send time at a given rate. Every count it is asked for is sent exactly.
import { setTimeout as sleep, setImmediate as turn } from 'node:timers/promises';
import { Device } from './device.ts';
import { FIRST_SEQ, linePool, mulberry32, POOL_LINES, SEQ_DIGITS, SEQ_OFFSET, weatherLine } from './lines.ts';
import { serveCalls } from './worker-process.ts';

export interface LoadOptions {
  readonly port: number;
  readonly connections: number;
  readonly linesPerWrite: number;
  /** Ask for confirmations; then `send` also waits for them. */
  readonly seq: boolean;
}

export interface SendOptions {
  readonly count: number;
  /** Absent: as fast as taken. With a rate each line carries the time at which it was due. */
  readonly perSecond?: number;
}

export interface SendResult {
  /** User and system, of this process. */
  readonly cpuSeconds: number;
}

export interface LoadCalls {
  connect(options: LoadOptions): Promise<void>;
  send(options: SendOptions): Promise<SendResult>;
}

const STORED_TIMEOUT_MS = 20_000;
const STORED_POLL_MS = 2;
const TICK_MS = 1;
const LOWEST_ZIPCODE = 10_000;
const ZIPCODE_STEP = 37;

const devices: Device[] = [];
const random = mulberry32(1);
let options: LoadOptions;
let pool: { readonly bytes: Buffer; readonly starts: readonly number[] };
let nextLine = 0;
let sentBefore = 0;
let onDrained = (): void => {};
let fail = (_: Error): void => {};
const failed = new Promise<never>((_, reject) => {
  fail = reject;
});
failed.catch(() => {});

serveCalls<LoadCalls>({
  async connect(wanted) {
    options = wanted;
    const lines = linePool({ seq: options.seq, stamped: false }).map((line) => `${line}\n`);
    pool = { bytes: Buffer.from(lines.join('')), starts: starts(lines) };
    for (let index = 0; index < options.connections; index++) {
      const device = new Device(options.port, { drained: () => onDrained(), failed: fail });
      device.nextSeq = FIRST_SEQ;
      await Promise.race([device.identify(String(LOWEST_ZIPCODE + index * ZIPCODE_STEP)), failed]);
      devices.push(device);
    }
  },

  async send({ count, perSecond }) {
    const before = process.cpuUsage();
    const sending = perSecond === undefined ? sendFast(count) : sendPaced(count, perSecond);
    await Promise.race([sending, failed]);
    sentBefore += count;
    if (options.seq) await Promise.race([allStored(), failed]);
    const { user, system } = process.cpuUsage(before);
    return { cpuSeconds: (user + system) / 1e6 };
  },
});

/** A write for each device in turn, passing over those whose socket is full. */
async function sendFast(count: number): Promise<void> {
  let left = count;
  while (left > 0) {
    const drained = new Promise<void>((resolve) => {
      onDrained = resolve;
    });
    let wrote = false;
    for (const device of devices) {
      if (device.blocked) continue;
      const lines = Math.min(options.linesPerWrite, left);
      device.write(nextBlock(device, lines));
      left -= lines;
      wrote = true;
      if (left === 0) return;
    }
    await (wrote ? turn() : drained);
  }
}

function nextBlock(device: Device, lines: number): Buffer {
  if (nextLine + lines > POOL_LINES) nextLine = 0;
  const { bytes, starts } = pool;
  const first = nextLine;
  nextLine += lines;
  const block = bytes.subarray(starts[first], starts[nextLine]);
  if (!options.seq) return block;
  // A copy, since the pool's bytes may still wait in another socket.
  const own = Buffer.from(block);
  for (let line = first; line < nextLine; line++) {
    const offset = (starts[line] ?? 0) - (starts[first] ?? 0) + SEQ_OFFSET;
    writeDigits(own, offset, device.nextSeq++);
  }
  return own;
}

function writeDigits(bytes: Buffer, offset: number, value: number): void {
  let rest = value;
  for (let at = offset + SEQ_DIGITS - 1; at >= offset; at--) {
    bytes[at] = 48 + (rest % 10);
    rest = Math.floor(rest / 10);
  }
}

/**
 * Each message has its due time, kept however late the writes are, so that a server that stalls is charged for
 * every message it would have got meanwhile (no coordinated omission).
 */
async function sendPaced(count: number, perSecond: number): Promise<void> {
  const startMs = performance.timeOrigin + performance.now();
  let sent = 0;
  while (sent < count) {
    const passedMs = performance.timeOrigin + performance.now() - startMs;
    const due = Math.min(count, 1 + Math.floor((passedMs * perSecond) / 1000));
    for (; sent < due; sent++) {
      const device = devices[sent % devices.length];
      if (device === undefined) throw new Error('connect first');
      const seq = options.seq ? device.nextSeq++ : undefined;
      const stamp = { n: sentBefore + sent, sentMs: startMs + (sent * 1000) / perSecond };
      device.write(`${weatherLine(random, seq, stamp)}\n`);
    }
    await sleep(TICK_MS);
  }
}

async function allStored(): Promise<void> {
  const deadline = performance.now() + STORED_TIMEOUT_MS;
  for (;;) {
    // A device that sent nothing yet waits for nothing.
    const behind = devices.filter(({ stored, nextSeq }) => nextSeq > FIRST_SEQ && stored !== nextSeq - 1);
    if (behind.length === 0) return;
    if (performance.now() > deadline) throw new Error(`${behind.length} devices wait for their confirmation`);
    await sleep(STORED_POLL_MS);
  }
}

/** Where each line begins, and where the last one ends. */
function starts(lines: readonly string[]): number[] {
  let at = 0;
  const all = lines.map((line) => {
    at += line.length;
    return at;
  });
  return [0, ...all];
}
