// Records what goes over the ports of devices: each line with what the gateway made of it, and each reply. It looks from within:
// methods of three classes are wrapped in the processes of a test run, and the code of the gateway knows nothing of it.

import { loadSettings } from '../../../src/config/load.ts';
import type { Settings } from '../../../src/config/settings.ts';
import type { Addresses } from '../../../src/gateway/lifecycle.ts';
import { UNAUTHORIZED } from '../../../src/protocol/unauthorized.ts';
import type { Job } from '../../../src/queue/job.ts';
import { Refusals } from '../../../src/server/refusals.ts';
import { SocketSource } from '../../../src/server/socket-source.ts';
import { Worker } from '../../../src/workers/worker.ts';
import { noteGateway } from './gateway-facts.ts';
import { isRecording, note } from './traffic-file.ts';

/** A line of a device, or a plain line. */
export interface LineEntry {
  /** Of its gateway. */
  readonly gateway: string;
  readonly isPlain: boolean;
  readonly isIdentified: boolean;
  /** One character a byte. */
  readonly line: string;
  /** `accepted`, or the code of the refusal. */
  readonly outcome: string;
  /** Of the refusal. */
  readonly message?: string;
}

/** What the gateway wrote to a device in one go: whole lines. */
export interface ReplyEntry {
  readonly gateway: string;
  readonly text: string;
}

/** Lines are noted up to this length: none of the usual limits is larger. */
const MAX_LINE_BYTES = 70_000;
const LINES = { first: 20, oneIn: 97 };
const REPLIES = { first: 60, oneIn: 997 };

/** Ids of the gateways of this process by listening port, and of the only one if no port is known. */
const byPort = new Map<number, string>();
let ownId: string | undefined;
/** The gateway that a connection came to. */
const gateways = new WeakMap<object, string>();
let isWrapped = false;

/** This process is a gateway. Its settings are those of its environment. */
export function recordOwnDevicePorts(): void {
  const loaded = loadSettings({ env: process.env, dotenvPath: '.env' });
  if (!loaded.ok) return;
  ownId = noteGateway(loaded.settings, { isProcess: true });
  wrapClasses();
}

/**
 * A gateway in the process of a test.
 * @param addresses once it listens
 * @returns to be called when it has stopped: the system may give its ports to another server
 */
export function recordDevicePorts(settings: Settings, { tcp, tls, lines }: Addresses): () => void {
  if (!isRecording) return () => {};
  const id = noteGateway(settings, { isProcess: false });
  const ports = [tcp, tls, lines].flatMap((address) => address?.port ?? []);
  for (const port of ports) byPort.set(port, id);
  return () => {
    for (const port of ports) if (byPort.get(port) === id) byPort.delete(port);
  };
}

/** Wraps the methods that see lines and replies. Call it before the gateway starts. */
export function wrapClasses(): void {
  if (isWrapped || !isRecording) return;
  isWrapped = true;
  wrapSource();
  wrapWorker();
}

type Open = { readonly socket: { readonly localPort?: number | undefined } };

function gatewayOf(source: SocketSource): string | undefined {
  return ownId ?? byPort.get((source as unknown as Open).socket.localPort ?? 0);
}

function wrapSource(): void {
  const { take, write, end } = SocketSource.prototype;
  SocketSource.prototype.take = function (this: SocketSource, taker) {
    const gateway = gatewayOf(this);
    if (gateway !== undefined) gateways.set(taker, gateway);
    return take.call(this, taker);
  };
  SocketSource.prototype.write = function (this: SocketSource, data, taken) {
    noteReply(this, data);
    return write.call(this, data, taken);
  };
  SocketSource.prototype.end = function (this: SocketSource, data) {
    if (data !== undefined) noteReply(this, data);
    return end.call(this, data);
  };
}

function noteReply(source: SocketSource, data: string | Uint8Array): void {
  // Without a gateway a test serves its connections itself. What these write is held to the same contract.
  const gateway = gatewayOf(source) ?? '';
  const text = () => lastLines(typeof data === 'string' ? data : Buffer.from(data).toString());
  const group = groupOf(typeof data === 'string' ? data : Buffer.from(data.subarray(-TAIL)).toString());
  note('reply', group, () => ({ gateway, text: text() }) satisfies ReplyEntry, REPLIES);
}

const TAIL = 400;
const MAX_REPLIES_LENGTH = 20_000;
const STATUS = /"status":"\w+"(?:,"code":"\w+")?/g;

/** Replies are of a group with others whose last line has the same status and code. */
const groupOf = (text: string): string => text.slice(-TAIL).match(STATUS)?.at(-1) ?? '';

/** For a device that does not read, one write may hold a mebibyte of replies: then only the last ones are kept. */
function lastLines(text: string): string {
  if (text.length <= MAX_REPLIES_LENGTH) return text;
  return text.slice(text.indexOf('\n', text.length - MAX_REPLIES_LENGTH) + 1);
}

/** The line that a worker handles, and its refusal. */
let current: Job | undefined;
let refusal: { readonly code: string; readonly message: string } | undefined;

function wrapWorker(): void {
  const { answerLine, deny } = Refusals.prototype;
  Refusals.prototype.answerLine = function (refused, line) {
    if (line === current) refusal = refused;
    return answerLine.call(this, refused, line);
  };
  Refusals.prototype.deny = function (denial, message, line) {
    if (line === current) refusal = { code: 'unauthorized', message: UNAUTHORIZED[denial.reason] };
    return deny.call(this, denial, message, line);
  };
  const { handle } = Worker.prototype;
  Worker.prototype.handle = function (job) {
    const gateway = gateways.get(job.session);
    if (gateway === undefined) return handle.call(this, job);
    const isIdentified = job.session.frame !== undefined;
    const length = job.end - job.start;
    // Once the line is handled, its memory may hold the next one.
    if (length <= MAX_LINE_BYTES) lineBytes.set(job.bytes.subarray(job.start, job.end));
    current = job;
    refusal = undefined;
    const ticket = handle.call(this, job);
    if (length <= MAX_LINE_BYTES)
      noteLine(length, { gateway, isPlain: job.session.plain !== undefined, isIdentified });
    current = undefined;
    return ticket;
  };
}

const lineBytes = Buffer.alloc(MAX_LINE_BYTES);

function noteLine(length: number, facts: Pick<LineEntry, 'gateway' | 'isPlain' | 'isIdentified'>): void {
  const outcome = refusal?.code ?? 'accepted';
  const entry = (): LineEntry => ({
    ...facts,
    line: lineBytes.toString('latin1', 0, length),
    outcome,
    ...(refusal && { message: refusal.message }),
  });
  note('line', `${facts.isPlain} ${facts.isIdentified} ${outcome} ${kindOf(length)}`, entry, LINES);
}

/** Lines of other lengths, and refusals in other words, are noted even if there were many of the usual ones. */
function kindOf(length: number): string {
  if (refusal === undefined) return `${Math.clz32(length)}`;
  return refusal.message.replace(/'[^']*'|\d+/g, '');
}
