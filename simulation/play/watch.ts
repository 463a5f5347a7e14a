// Looks at the figures of the running gateway, again and again: they add up and stay within the settings. At the end it
// says whether everything has come to rest.
import type { Snapshot } from '../../src/admin/snapshot.ts';
import type { SimGateway } from '../gateway/sim-gateway.ts';
import { checkFigures, type Limits } from '../judge/figures.ts';
import type { Step } from './plan.ts';
import { bytesIn } from './scene.ts';
import type { Stage } from './stage.ts';

/** Between two looks. */
const EVERY_MS = 250;
/** Between two looks at several processes, each of which costs messages. */
const EVERY_OF_GROUP_MS = 1_000;
/** A lone message may exceed the limit of records in memory. */
const MESSAGE_BYTES = 200 * 1024;
/** Connections of others than devices, at most. */
const STRANGERS = 100;
/** The head of a segment may come on top of the limit of the spool. */
const SEGMENT_HEAD_BYTES = 4096;
const LETTERS_BYTES = 8 * 1024 * 1024;

export class Watch {
  readonly #stage: Stage;
  readonly #limits: Limits;
  /** Reported already, by the process that died of it. */
  readonly #crashes = new Set<unknown>();
  #latest: Snapshot | undefined;
  #pending = Number.POSITIVE_INFINITY;
  /** Figures that were asked for earlier do not show rest. */
  #freshFromMs = 0;
  #isStopped = false;

  constructor(stage: Stage, steps: readonly Step[]) {
    this.#stage = stage;
    const shrinks = steps.some(({ kind }) => kind.excuses?.includes('fewer-partitions'));
    const { brokersLateMs, createsTopic } = stage.scene;
    this.#limits = limitsOf(stage, shrinks || brokersLateMs > 0 || !createsTopic);
  }

  start(): void {
    this.#look();
  }

  /** Looks once more, out of turn. */
  lookNow(): void {
    const { gateway } = this.#stage;
    const snapshot = gateway.isUp ? gateway.gateway?.snapshotNow() : undefined;
    if (snapshot !== undefined) this.#check(snapshot);
  }

  /** Messages without an answer, and records and lines on their way, at the last look. Infinity while it is down. */
  get pending(): number {
    return this.#pending;
  }

  /** Only figures that are asked for from now on show rest: those of several processes may be a second old. */
  forget(): void {
    this.#freshFromMs = this.#stage.world.nowMs;
    this.#sawNothing();
  }

  stop(): void {
    this.#isStopped = true;
  }

  /** Every message has its answer, and nothing is on its way to Kafka. */
  get isAtRest(): boolean {
    return this.pending === 0;
  }

  /** Why it is not at rest, for people. */
  get unrest(): string {
    const { fleet, gateway } = this.#stage;
    const latest = this.#latest;
    const figures =
      latest === undefined
        ? `the gateway is not up (starts: ${gateway.starts})`
        : JSON.stringify({
            lines: latest.lines.waiting,
            records: latest.records,
            letters: latest.deadLetters.waiting,
            bufferBytes: latest.kafka.bufferBytes,
            problems: latest.kafka.problems,
            spool: latest.spool.trouble,
          });
    return `${fleet.open} messages without an answer; ${figures}`;
  }

  #look(): void {
    if (this.#isStopped) return;
    const { world, gateway } = this.#stage;
    const running = gateway.gateway;
    this.#noteCrashes(running);
    const isGroup = Number(gateway.env.TCP_PROCESSES) > 1;
    const again = () =>
      world.after(isGroup ? EVERY_OF_GROUP_MS : EVERY_MS, () => this.#look(), world.outside);
    if (running === undefined || !gateway.isUp) {
      this.#sawNothing();
      again();
    } else if (isGroup) {
      const askedAtMs = world.nowMs;
      const { open } = this.#stage.fleet;
      running.snapshot().then(
        (snapshot) => {
          // A message may have been stored after its process had given its figures.
          this.#check(snapshot, open);
          if (askedAtMs < this.#freshFromMs) this.#sawNothing();
          again();
        },
        () => {
          this.#sawNothing();
          again();
        },
      );
    } else {
      const snapshot = running.snapshotNow();
      if (snapshot !== undefined) this.#check(snapshot);
      again();
    }
  }

  #sawNothing(): void {
    this.#latest = undefined;
    this.#pending = Number.POSITIVE_INFINITY;
  }

  /** @param open messages without an answer when the figures were asked for */
  #check(snapshot: Snapshot, open = this.#stage.fleet.open): void {
    this.#latest = snapshot;
    this.#pending = open + this.#waiting(snapshot);
    this.#stage.gateway.saw(snapshot);
    const { kafka, records, spool } = snapshot;
    if (kafka.connected && records.spooled === 0 && spool.partitions === 0)
      this.#stage.calmFrom ??= this.#stage.gateway.counts;
    checkFigures(snapshot, this.#limits, this.#stage.wrong);
  }

  /** Lines, records and letters on their way, the memory that they need, and processes that have to come back. */
  #waiting({ records, lines, deadLetters, kafka, queue, processes }: Snapshot): number {
    const { keepsLetters } = this.#stage;
    return (
      processes.configured -
      processes.running +
      records.open +
      records.inFlight +
      records.spooled +
      lines.waiting +
      // Without a topic for them they stay on the disk.
      (keepsLetters ? deadLetters.waiting : 0) +
      kafka.bufferBytes +
      queue.depth
    );
  }

  #noteCrashes(running: SimGateway | undefined): void {
    for (const { process, error } of running?.crashes ?? []) {
      if (this.#crashes.has(error)) continue;
      this.#crashes.add(error);
      const text = error instanceof Error ? error.stack : String(error);
      this.#stage.wrong.add('the gateway crashed', `${process}: ${text}`);
    }
  }
}

/** @param places records are on disk without a partition at some time */
function limitsOf({ scene }: Stage, places: boolean): Limits {
  const { env } = scene;
  const processes = Number(env.TCP_PROCESSES);
  const bytesOf = (name: string) => bytesIn(env[name] ?? '');
  return {
    deviceBufferBytes: bytesOf('TCP_BUFFER_BYTES') || 256 * 1024 * 1024,
    kafkaBufferBytes: bytesOf('KAFKA_BUFFER_BYTES') + processes * MESSAGE_BYTES,
    queueJobs: Number(env.TCP_JOB_QUEUE_SIZE) * processes,
    connections: 4 * scene.devices + STRANGERS,
    // While records on disk get their partitions, the logs may exceed their limit by the records in memory.
    spoolBytes: bytesOf('SPOOL_MAX_BYTES') + (places ? bytesOf('KAFKA_BUFFER_BYTES') : SEGMENT_HEAD_BYTES),
    deadBytes: bytesOf('SPOOL_DEAD_BYTES') + LETTERS_BYTES,
  };
}
