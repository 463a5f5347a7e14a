// Computes the memory and disk space that one server process needs, and so how many processes the settings allow. The
// checks of the settings, the start and the buffer all use this arithmetic.
import { sizeText } from './kinds.ts';
import type { Settings } from './settings.ts';

type Needs = Pick<Settings, 'TCP_MAX_LINE_BYTES' | 'KAFKA_BATCH_BYTES'> &
  Partial<Pick<Settings, 'KAFKA_TOPIC_PRESENCE'>>;
type Totals = Pick<
  Settings,
  'KAFKA_BUFFER_BYTES' | 'SPOOL_MAX_BYTES' | 'SPOOL_DEAD_BYTES' | 'TCP_BUFFER_BYTES'
>;

/** The record frames of one message: 1000 of 1 KiB, or fewer larger ones. protocol/record-frame.ts has the same limit. */
const MESSAGE_FRAMES_BYTES = 1000 * 1024;
/** Records take at most this many times the bytes of their line. */
export const LINE_GROWTH = 3;
/** One batch fills while the batch before is in flight. */
const BATCHES = 2;
const MIN_SPOOL_BYTES = 2 ** 20;
/** Lines of full length that the share of a process holds, so that one device with a long line is not closed. */
const HELD_LINES = 8;
const MIN_TCP_BUFFER_BYTES = 2 ** 20;
/** Of SPOOL_DEAD_BYTES, if presence is on. */
const PRESENCE_SHARE = 1 / 8;

/** Most bytes of presence on disk, of the whole gateway. */
export function presenceBytes(settings: Pick<Settings, 'SPOOL_DEAD_BYTES' | 'KAFKA_TOPIC_PRESENCE'>): number {
  return settings.KAFKA_TOPIC_PRESENCE === null ? 0 : Math.floor(settings.SPOOL_DEAD_BYTES * PRESENCE_SHARE);
}

/** Most bytes of dead letters on disk, of the whole gateway. */
export function deadLetterBytes(settings: Parameters<typeof presenceBytes>[0]): number {
  return settings.SPOOL_DEAD_BYTES - presenceBytes(settings);
}

/** The most that one message may take of KAFKA_BUFFER_BYTES. Workers take a message only while this much is free. */
export function messageBytes({ TCP_MAX_LINE_BYTES: line }: Pick<Needs, 'TCP_MAX_LINE_BYTES'>): number {
  return LINE_GROWTH * line + MESSAGE_FRAMES_BYTES;
}

/** A setting that is divided among the processes, with the share that each process needs. */
export interface Share {
  readonly name: keyof Totals;
  readonly needBytes: number;
  /** The use of the share, to be read after "for". */
  readonly reason: string;
}

/** With a smaller buffer devices would be paused for ever, and a batch would never fit into a smaller spool. */
export function sharesOfProcess(settings: Needs): readonly Share[] {
  const { KAFKA_BATCH_BYTES: batch, TCP_MAX_LINE_BYTES: line, KAFKA_TOPIC_PRESENCE: presence } = settings;
  const lettersShare = presence ? 1 - PRESENCE_SHARE : 1;
  return [
    {
      name: 'KAFKA_BUFFER_BYTES',
      needBytes: messageBytes(settings) + BATCHES * batch,
      reason: `a message of up to TCP_MAX_LINE_BYTES=${sizeText(line)} and two batches of KAFKA_BATCH_BYTES=${sizeText(batch)}`,
    },
    {
      name: 'SPOOL_MAX_BYTES',
      needBytes: Math.max(MIN_SPOOL_BYTES, BATCHES * Math.max(batch, line)),
      reason: `two batches of KAFKA_BATCH_BYTES=${sizeText(batch)} or TCP_MAX_LINE_BYTES=${sizeText(line)}`,
    },
    {
      name: 'SPOOL_DEAD_BYTES',
      needBytes: Math.ceil((BATCHES * line) / lettersShare),
      reason: `two dead letters of up to TCP_MAX_LINE_BYTES=${sizeText(line)}`,
    },
    {
      name: 'TCP_BUFFER_BYTES',
      needBytes: Math.max(MIN_TCP_BUFFER_BYTES, HELD_LINES * line),
      reason: `the lines of up to TCP_MAX_LINE_BYTES=${sizeText(line)} that a few devices may hold`,
    },
  ];
}

export interface ProcessCount {
  /** At least 1 if the settings passed the checks. */
  readonly started: number;
  /** The setting that is too small, if fewer processes are started than were asked for. */
  readonly limit: (Share & { readonly haveBytes: number }) | undefined;
}

/** How many of the processes asked for can be started so that each gets the shares it needs. */
export function processesFor(settings: Needs & Totals, asked: number): ProcessCount {
  let started = asked;
  let limit: ProcessCount['limit'];
  for (const share of sharesOfProcess(settings)) {
    const haveBytes = settings[share.name];
    const most = Math.floor(haveBytes / share.needBytes);
    if (most >= started) continue;
    started = most;
    limit = { ...share, haveBytes };
  }
  return { started, limit };
}

/** The warning of the start if fewer processes run than were asked for. */
export function fewerProcessesText(asked: number, { started, limit }: ProcessCount): string | undefined {
  if (limit === undefined) return undefined;
  const { name, haveBytes, needBytes } = limit;
  return (
    `${name}=${sizeText(haveBytes)} is enough for ${started} of ${asked} server processes, so only ${started} ` +
    `will run; set ${name} to at least ${roundedUp(asked * needBytes)}, or TCP_PROCESSES=${started}`
  );
}

/** As whole KiB or MiB, rounded up. */
export function roundedUp(bytes: number): string {
  const unit = bytes > 16 * 2 ** 20 ? 2 ** 20 : 2 ** 10;
  return sizeText(Math.ceil(bytes / unit) * unit);
}
