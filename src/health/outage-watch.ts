// Tells the story of an outage in the log, once for all partitions and processes: a line when Kafka stops taking readings,
// one a minute while that lasts and while the disk drains, and one when all that waited is sent. It is told the state
// every second; it reads no clock and no figure itself.
//
// | phase    | says at its begin         | each minute                | ends                                             |
// |----------|---------------------------|----------------------------|--------------------------------------------------|
// | whole    | kafka_usable, once        |                            | down: trouble for BEGIN_MS                       |
// | down     | kafka_outage_began        | kafka_outage_continues     | back: no trouble for the time of `#calm`         |
// | back     | kafka_returned            | backlog_draining           | whole: nothing waits on disk (kafka_outage_over) |
//
// A return with nothing left to send goes from down to whole at once. Moments are not told.

import { countText, timeText } from '../config/amounts.ts';
import type { Log } from '../log/log.ts';
import { Calm } from './calm.ts';

export interface OutageLook {
  /** Why Kafka does not take readings; null if it takes them. */
  readonly trouble: OutageTrouble | null;
  /** Kafka is known to take readings. If there is no trouble either, nothing is known. */
  readonly isUsable: boolean;
  /** Readings accepted and not in Kafka. */
  readonly waiting: number;
  /** Readings of the metrics topic on disk. */
  readonly spooled: number;
  readonly spoolBytes: number;
  /** Bytes that the spool may still take. */
  readonly roomBytes: number;
  /** Until the spool is full at the rate of the last minute; undefined if it does not grow. */
  readonly lastsMs: number | undefined;
  /** The disk or the limit refuses writes. */
  readonly isFull: boolean;
  /** Devices are paused, because memory is full. */
  readonly isPausing: boolean;
  readonly pausedConnections: number;
  readonly confirmed: number;
}

export interface OutageTrouble {
  /** `Kafka`, or `Topic weather.metrics.raw`. */
  readonly subject: string;
  /** Stays the same while the reason changes. */
  readonly finding: string;
  readonly reason: string;
  readonly remedy: string | null;
  /** Readings of other partitions are taken. */
  readonly isPartial: boolean;
}

export interface OutageNames {
  readonly brokers: readonly string[];
  /** SPOOL_DIR. */
  readonly directory: string;
}

interface Outage {
  readonly beganMs: number;
  trouble: OutageTrouble;
  /** Since when its finding is that. */
  troubleSinceMs: number;
  /** The trouble that the latest line named. */
  said: OutageTrouble;
  saidAtMs: number;
  /** The most readings that waited at once. */
  waited: number;
  /** Since when Kafka takes readings again, and how many it had confirmed then. */
  back: { readonly sinceMs: number; readonly confirmed: number; isSaid: boolean } | undefined;
  /** Since when Kafka fails again after its return. */
  againMs: number | undefined;
}

const EVERY_MS = 60_000;
/** Leaders move within a second or two. */
const BEGIN_MS = { whole: 2_000, partial: 5_000 } as const;
/** Another reason that concerns all partitions is told before its minute if it lasts this long: brokers that come back have several. */
const CHANGE_MS = 10_000;

const LOOPBACK = /^(localhost|127\.|\[::1\])/;
const LOCAL_KAFKA = '. A local Kafka for trying, in a checkout of Sluice: npm run kafka';

export class OutageWatch {
  readonly #log: Pick<Log, 'write'>;
  readonly #names: OutageNames;
  readonly #calm = new Calm({ firstMs: 5_000, maxMs: 60_000, forgetMs: 5 * 60_000 });
  #troubleSinceMs: number | undefined;
  #outage: Outage | undefined;
  #isUsableSaid = false;

  constructor(names: OutageNames, log: Pick<Log, 'write'>) {
    this.#names = names;
    this.#log = log;
  }

  /** @param now monotonic milliseconds */
  look(look: OutageLook, now: number): void {
    if (this.#outage !== undefined) {
      this.#follow(this.#outage, look, now);
      return;
    }
    const { trouble } = look;
    if (trouble === null) {
      this.#troubleSinceMs = undefined;
      if (look.isUsable) this.#sayUsable();
      return;
    }
    this.#troubleSinceMs ??= now;
    const beganMs = this.#troubleSinceMs;
    if (now - beganMs < BEGIN_MS[trouble.isPartial ? 'partial' : 'whole']) return;
    this.#outage = {
      beganMs,
      trouble,
      troubleSinceMs: now,
      said: trouble,
      saidAtMs: now,
      waited: 0,
      back: undefined,
      againMs: undefined,
    };
    this.#calm.began(now);
    this.#sayBegan(this.#outage, look, now);
  }

  #follow(outage: Outage, look: OutageLook, now: number): void {
    outage.waited = Math.max(outage.waited, look.waiting);
    if (look.trouble !== null) this.#down(outage, { ...look, trouble: look.trouble }, now);
    else if (look.isUsable) this.#back(outage, look, now);
  }

  #down(outage: Outage, look: OutageLook & { readonly trouble: OutageTrouble }, now: number): void {
    if (outage.trouble.finding !== look.trouble.finding) outage.troubleSinceMs = now;
    outage.trouble = look.trouble;
    if (outage.back?.isSaid) {
      outage.againMs ??= now;
      if (now - outage.againMs < BEGIN_MS.whole) return;
      this.#calm.began(now);
      this.#sayBegan(outage, look, now);
    }
    outage.back = undefined;
    outage.againMs = undefined;
    // While Kafka comes back, partitions fail for a moment that it does not take yet.
    const isOther = outage.said.finding !== look.trouble.finding && !look.trouble.isPartial;
    const isNews = isOther && now - outage.troubleSinceMs >= CHANGE_MS;
    if (!isNews && now - outage.saidAtMs < EVERY_MS) return;
    this.#saidNow(outage, now);
    this.#log.write('kafka_outage_continues', {
      durationMs: now - outage.beganMs,
      ...this.#whatWaits(look),
      reason: look.trouble.reason,
    });
  }

  #back(outage: Outage, look: OutageLook, now: number): void {
    outage.againMs = undefined;
    outage.back ??= { sinceMs: now, confirmed: look.confirmed, isSaid: false };
    const { back, beganMs } = outage;
    if (!back.isSaid && now - back.sinceMs < this.#calm.ms) return;
    const durationMs = back.sinceMs - beganMs;
    const { waiting, spooled } = look;
    if (spooled === 0) {
      const sent = look.confirmed - back.confirmed;
      const { waited } = outage;
      this.#log.write('kafka_outage_over', { outcome: outcomeOf(waited), durationMs, waited, sent });
      this.#calm.over(now);
      this.#outage = undefined;
      this.#troubleSinceMs = undefined;
      this.#isUsableSaid = true;
      return;
    }
    if (!back.isSaid) {
      back.isSaid = true;
      this.#calm.over(now);
      this.#saidNow(outage, now);
      this.#log.write('kafka_returned', { durationMs, waiting, spooled });
    } else if (now - outage.saidAtMs >= EVERY_MS) {
      this.#saidNow(outage, now);
      const perSecond = Math.round(((look.confirmed - back.confirmed) * 1000) / (now - back.sinceMs));
      this.#log.write('backlog_draining', { spooled, spoolBytes: look.spoolBytes, perSecond });
    }
  }

  #sayBegan(outage: Outage, look: OutageLook, now: number): void {
    const { subject, reason, remedy, isPartial } = outage.trouble;
    this.#saidNow(outage, now);
    this.#log.write('kafka_outage_began', {
      what: `${subject} cannot be used${isPartial ? ' in full' : ''}`,
      whose: isPartial ? 'readings of the partitions concerned' : 'their readings',
      advice: `${remedy === null ? '' : `. To do: ${remedy}`}${this.#isFirstTry ? LOCAL_KAFKA : ''}`,
      brokers: this.#names.brokers,
      directory: this.#names.directory,
      isPartial,
      reason,
      roomBytes: look.roomBytes,
    });
  }

  /** Somebody tries Sluice out, and no Kafka runs there. */
  get #isFirstTry(): boolean {
    return !this.#isUsableSaid && this.#names.brokers.every((broker) => LOOPBACK.test(broker));
  }

  #saidNow(outage: Outage, now: number): void {
    outage.said = outage.trouble;
    outage.saidAtMs = now;
  }

  #whatWaits({ waiting, spooled, spoolBytes, lastsMs, isFull, isPausing, pausedConnections }: OutageLook) {
    return {
      waiting,
      spooled,
      spoolBytes,
      ...(lastsMs !== undefined && !isFull && { lastsMs: Math.round(lastsMs) }),
      pausedConnections,
      outlook: outlookOf({ lastsMs, isFull, isPausing, pausedConnections }),
    };
  }

  #sayUsable(): void {
    if (this.#isUsableSaid) return;
    this.#isUsableSaid = true;
    this.#log.write('kafka_usable', { brokers: this.#names.brokers });
  }
}

function outcomeOf(waited: number): string {
  if (waited === 0) return 'no reading had to wait';
  return `all readings that waited are in Kafka, at most ${countText(waited)} at once`;
}

/** For the line of each minute. */
function outlookOf({
  lastsMs,
  isFull,
  isPausing,
  pausedConnections,
}: Pick<OutageLook, 'lastsMs' | 'isFull' | 'isPausing' | 'pausedConnections'>): string {
  if (isPausing)
    return `memory is full and ${countText(pausedConnections)} devices are paused, nothing is dropped`;
  if (isFull)
    return 'the spool is full and new readings wait in memory; when that is full, devices are paused';
  if (lastsMs === undefined) return 'the spool does not grow';
  return `at this rate the spool is full in ${timeText(lastsMs)}`;
}
