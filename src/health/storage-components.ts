// The health of the places for records inside the gateway, from the figures: the spool, memory and the dead letters.
import type { Figures } from '../admin/snapshot.ts';
import { bytesText, timeText } from '../config/amounts.ts';
import type { Component } from './component.ts';
import { type Context, counted, found, waiting as waits } from './found.ts';
import { takesAll } from './kafka-components.ts';

/** Shares of the space that the spool may use. */
const NEARLY_FULL = { begins: 0.8, ends: 0.7 } as const;

/** Share of its space that a full buffer uses at least. */
const IS_FULL = 0.9;

const REFUSED = { limit: 'full', 'disk-full': 'disk_full', disk: 'unwritable' } as const;

export function spool(figures: Figures, { had }: Context): Component {
  const { refusal, trouble, partitions, bytes } = figures.spool;
  const share = usedShare(figures.spool);
  const used = `${bytesText(bytes)} of ${bytesText(spaceOf(figures.spool))} are used (${percent(share)})`;
  if (refusal !== null) {
    // The free space of the disk is up to 10 s old, so a share of it would look as if there were room.
    const details =
      refusal.cause === 'limit' ? `${inShares(figures)}; ${used}` : `; the spool has ${bytesText(bytes)}`;
    return found('spool', REFUSED[refusal.cause], { reason: `${refusal.reason}${details}` });
  }
  if (trouble !== null) return found('spool', 'unreadable', { reason: trouble });
  const limit = had('spool', 'nearly_full') ? NEARLY_FULL.ends : NEARLY_FULL.begins;
  const { fullestRatio } = figures.spool;
  if (Math.max(share, fullestRatio) >= limit) {
    const fullest =
      share >= limit ? '' : `, and ${percent(fullestRatio)} of its share in the fullest process`;
    return found('spool', 'nearly_full', { reason: `${used}${fullest}${growth(figures)}` });
  }
  const { spooled } = figures.records;
  if (spooled > 0 && !takesAll(figures))
    return found('spool', 'growing', {
      reason: `${waits(spooled, 'record')} for Kafka, ${used}${growth(figures)}`,
    });
  if (spooled > 0 && partitions > 0)
    return found('spool', 'draining', { reason: `${counted(spooled, 'record')} left, being sent; ${used}` });
  return found('spool', 'ok', { reason: used });
}

/** Milliseconds until the spool is full if it goes on as in the last minute. Undefined if it does not grow. */
export function msUntilFull({ spool: figures }: Pick<Figures, 'spool'>): number | undefined {
  const { growthBytesPerSecond: rate } = figures;
  return rate <= 0 ? undefined : (roomOf({ spool: figures }) / rate) * 1000;
}

/** Bytes that the spool may still take, by its limit and by its disk. */
export function roomOf({ spool: figures }: Pick<Figures, 'spool'>): number {
  return Math.max(0, spaceOf(figures) - figures.bytes);
}

export function buffer(figures: Figures): Component {
  const { kafka } = figures;
  const { bufferBytes, bufferCapacityBytes: capacity, buffersFull } = kafka;
  const used = `${bytesText(bufferBytes)} of ${bytesText(capacity)} are used`;
  if (buffersFull === 0) return found('buffer', 'ok', { reason: used });
  const where = inShares(figures, buffersFull);
  // As much as the full shares hold at least. With less, the state is only kept for a while.
  const isOver = bufferBytes < (IS_FULL * capacity * buffersFull) / figures.processes.configured;
  const reason = isOver
    ? `unconfirmed records filled KAFKA_BUFFER_BYTES${where} until a moment ago; this state ends when they have left it for 5 s; ${used}`
    : `unconfirmed records fill KAFKA_BUFFER_BYTES${where}, and devices are paused; ${used}`;
  return found('buffer', 'full', { reason });
}

export function deadLetters({ deadLetters: { waiting, blocked, problem } }: Figures): Component {
  if (blocked !== null) return found('dead_letters', 'blocked', { reason: blocked });
  if (problem !== null)
    return found('dead_letters', 'waiting', {
      reason: `${waits(waiting, 'dead letter')} on disk: ${problem}`,
    });
  return found('dead_letters', 'ok', { reason: waits(waiting, 'letter') });
}

/** None without KAFKA_TOPIC_PRESENCE. */
export function presence({ presence: { topic, waiting, blocked, problem } }: Figures): readonly Component[] {
  if (topic === null) return [];
  const reason = waits(waiting, 'record');
  if (blocked !== null) return [found('presence', 'blocked', { reason: `${reason} in memory: ${blocked}` })];
  if (problem !== null) return [found('presence', 'waiting', { reason: `${reason}: ${problem}` })];
  return [found('presence', 'ok', { reason })];
}

/** Of several processes each has a share of a limit, so one is full while the sum has room. */
function inShares({ processes: { configured } }: Figures, full?: number): string {
  if (configured < 2) return '';
  return ` in ${full ?? 'at least one'} of ${configured} processes, each with its share`;
}

/** The limit, or less if the disk has less. */
function spaceOf({ bytes, capacityBytes, diskFreeBytes }: Figures['spool']): number {
  return diskFreeBytes === null ? capacityBytes : Math.min(capacityBytes, bytes + diskFreeBytes);
}

function usedShare(figures: Figures['spool']): number {
  const space = spaceOf(figures);
  return space > 0 ? figures.bytes / space : 0;
}

const percent = (share: number) => (share > 0 && share < 0.01 ? '<1 %' : `${Math.floor(100 * share)} %`);

function growth(figures: Figures): string {
  const { growthBytesPerSecond: rate } = figures.spool;
  const ms = msUntilFull(figures);
  if (ms === undefined) return ', and it does not grow';
  return `, growing by ${bytesText(rate)} a second: full in ${timeText(ms)}`;
}
