// Starts the gateway, and starts it again after each end, as systemd would. It knows why each life of the gateway ended,
// and tells the judge of ends that nobody asked for.
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { SimGateway } from '../gateway/sim-gateway.ts';
import type { Findings } from '../judge/findings.ts';
import type { ProcessEnd } from '../world/sim-process.ts';
import type { World } from '../world/world.ts';
import { GATEWAY } from './addresses.ts';
import type { Env } from './scene.ts';

const RESTART_MS = 500;
/** A stop of several processes, one of which hangs, takes a second more than its settings say. */
const STOP_MORE_MS = 2_500;
/** At least so long after a start that was refused. */
const NEXT_TRY_MS = 1_000;
/** Lines of the log that a finding shows. */
const LOG_LINES = 4;

export interface SupervisorOptions {
  readonly env: Env;
  readonly wrong: Findings;
  /** Whether a start may be refused and a process may end now, because a fault of the disk is there. */
  readonly mayFail: () => boolean;
  /** The same value means that nothing has come between gateway and Kafka since. Undefined while something is there. */
  readonly peace: () => number | undefined;
}

export class Supervisor {
  /** Changes take effect at the next start. */
  env: Env;
  starts = 0;
  /** Another gateway has come for the directory. It may take what this one left there. */
  hasRival = false;
  /** When the gateway last ended or began in a way that loses what it knew of its devices. */
  #lostAtMs = Number.NEGATIVE_INFINITY;
  readonly #world: World;
  readonly #options: SupervisorOptions;
  #gateway: SimGateway | undefined;
  #isUp = false;
  /** Somebody asked for the end of this life. */
  #isAsked = false;
  #restartMs = RESTART_MS;
  #isOver = false;
  /** SIGSTOP has met a process of this life. */
  #isFrozen = false;
  /** When this life was asked to stop, and how many milliseconds it has for that. */
  #stopping:
    | { readonly fromMs: number; readonly limitMs: number; readonly peace: number | undefined }
    | undefined;
  /** Records went straight to Kafka when the gateway was last seen. */
  #wasCalm = false;
  /** Of the lives that have ended, and of the present one as it was last seen. */
  #before = NOTHING;
  #now = NOTHING;

  constructor(world: World, options: SupervisorOptions) {
    this.#world = world;
    this.#options = options;
    this.env = options.env;
  }

  /** The gateway, also while it starts or stops. Undefined while it is down. */
  get gateway(): SimGateway | undefined {
    return this.#gateway;
  }

  /** Devices can connect. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Somebody asked for the end of this life. */
  get isLeaving(): boolean {
    return this.#isAsked;
  }

  /** Everything that was known of devices then is known now: no process has crashed, and stops were orderly. */
  remembersSince(ms: number): boolean {
    const isGroup = Number(this.#options.env.TCP_PROCESSES) > 1;
    return this.#lostAtMs < ms && (!isGroup || this.#world.network.lastDeathMs(GATEWAY) < ms);
  }

  /** Of all lives so far. */
  get counts(): Counts {
    return sumOf(this.#before, this.#now);
  }

  /** The figures of the running gateway. */
  saw({ records, kafka, spool, processes }: Snapshot): void {
    this.#wasCalm =
      kafka.connected &&
      kafka.problems.length === 0 &&
      spool.partitions === 0 &&
      records.spooled === 0 &&
      processes.running === processes.configured;
    const { damaged, deadLettered } = records;
    this.#now = { damaged, deadLettered, retries: kafka.retries, spooled: spool.batchesWritten };
  }

  start(): void {
    if (this.#gateway !== undefined || this.#isOver) return;
    this.#isAsked = false;
    this.#isFrozen = false;
    this.#wasCalm = false;
    this.#stopping = undefined;
    this.#restartMs = RESTART_MS;
    this.starts++;
    if (this.#options.mayFail()) this.#lostAtMs = this.#world.nowMs;
    const gateway = SimGateway.start(this.#world, this.env);
    this.#gateway = gateway;
    void gateway.exited.then((end) => this.#ended(gateway, end));
    void gateway.ready.then(
      () => {
        if (gateway === this.#gateway) this.#isUp = true;
        if (this.#options.mayFail()) this.#lostAtMs = this.#world.nowMs;
      },
      () => undefined,
    );
  }

  /** SIGTERM. A second one stops at once. It starts again so many milliseconds after its end. */
  stop(restartMs: number): void {
    if (this.#gateway === undefined) return;
    this.#isAsked = true;
    this.#restartMs = restartMs;
    // A second signal ends it at once.
    const peace = this.#stopping === undefined && this.#wasCalm ? this.#options.peace() : undefined;
    const fromMs = this.#stopping?.fromMs ?? this.#world.nowMs;
    this.#stopping = { fromMs, limitMs: stopLimitMs(this.env), peace };
    this.#gateway.signal('SIGTERM');
  }

  /** kill -9 of all its processes at once. */
  kill(restartMs: number): void {
    if (this.#gateway === undefined) return;
    this.#isAsked = true;
    this.#restartMs = restartMs;
    this.#gateway.kill();
  }

  /** kill -9 of a server process. If there is only one process, the gateway starts again. */
  killProcess(index: number): void {
    if (this.#gateway === undefined) return;
    // At a start the gateway ends with a server process that was killed.
    if (this.#gateway.isGroup && this.#isUp) this.#gateway.killProcess(index);
    else this.kill(RESTART_MS);
  }

  /** kill -9 of the first process only. The others notice it and stop, while the next life begins. */
  killFirst(restartMs: number): void {
    if (this.#gateway === undefined) return;
    this.#isAsked = true;
    this.#restartMs = restartMs;
    this.#gateway.killFirst();
  }

  /** The gateway was stopped (SIGSTOP), so nobody can say how long its stop takes. */
  wasFrozen(): void {
    this.#stopping = undefined;
    this.#isFrozen = true;
  }

  /** Stops for good. Resolves with the end of the last life, undefined if it was down. */
  async finish(): Promise<ProcessEnd | undefined> {
    this.#isOver = true;
    const gateway = this.#gateway;
    if (gateway === undefined) return undefined;
    this.#isAsked = true;
    return gateway.stop();
  }

  #checkStop(signal: string | null): void {
    if (this.#stopping === undefined || this.#isFrozen || signal !== null) return;
    const { fromMs, limitMs } = this.#stopping;
    const tookMs = this.#world.nowMs - fromMs;
    if (tookMs > limitMs)
      this.#options.wrong.add(
        'a wait that does not end',
        `a stop took ${tookMs} ms, at most ${limitMs} are allowed`,
      );
  }

  /** With a healthy Kafka a stop has to leave nothing behind. */
  #checkRest({ log }: SimGateway, code: number | null): void {
    const peace = this.#stopping?.peace;
    if (peace === undefined || this.#isFrozen || peace !== this.#options.peace()) return;
    if (this.env.SHUTDOWN_TIMEOUT === '2s') return;
    const balance = log.findLast(({ event }) => event === 'stopped')?.balance as
      | { readonly spooled?: number }
      | undefined;
    if (code !== 0 || balance?.spooled !== 0)
      this.#options.wrong.add(
        'something is left after a stop',
        `with a healthy Kafka: exit code ${code}, ${JSON.stringify(balance)}`,
      );
  }

  #ended(gateway: SimGateway, { code, signal }: ProcessEnd): void {
    if (gateway !== this.#gateway) return;
    const { wrong, mayFail } = this.#options;
    const wasUp = this.#isUp;
    this.#isUp = false;
    this.#gateway = undefined;
    if (code !== 0 || mayFail() || this.hasRival) this.#lostAtMs = this.#world.nowMs;
    this.#before = this.counts;
    this.#now = NOTHING;
    this.#checkStop(signal);
    this.#checkRest(gateway, code);
    for (const { process, error } of gateway.crashes)
      wrong.add('the gateway crashed', `${process}: ${textOf(error)}`);
    if (gateway.crashes.length === 0 && !this.#isAsked && !mayFail())
      wrong.add(
        wasUp ? 'the gateway crashed' : 'a start was refused',
        `${signal ?? `exit code ${code}`}: ${lastLines(gateway)}`,
      );
    if (this.#isOver) return;
    const delayMs = wasUp ? this.#restartMs : Math.max(this.#restartMs, NEXT_TRY_MS);
    this.#world.after(delayMs, () => this.start(), this.#world.outside);
  }
}

interface Counts {
  /** Records lost to damage on the disk. */
  readonly damaged: number;
  /** Records that Kafka refused for good. */
  readonly deadLettered: number;
  /** Batches sent again. */
  readonly retries: number;
  /** Batches written to the spool. */
  readonly spooled: number;
}

const NOTHING: Counts = { damaged: 0, deadLettered: 0, retries: 0, spooled: 0 };

const sumOf = (one: Counts, other: Counts): Counts => ({
  damaged: one.damaged + other.damaged,
  deadLettered: one.deadLettered + other.deadLettered,
  retries: one.retries + other.retries,
  spooled: one.spooled + other.spooled,
});

const textOf = (error: unknown): string =>
  error instanceof Error ? (error.stack ?? error.message) : String(error);

const lastLines = ({ log }: SimGateway): string =>
  log
    .slice(-LOG_LINES)
    .map(({ msg }) => msg)
    .join(' | ');

/** The time that a stop has by its settings, in milliseconds. */
function stopLimitMs({ SHUTDOWN_TIMEOUT, SHUTDOWN_DRAIN, SHUTDOWN_SPREAD }: Env): number {
  const seconds = [SHUTDOWN_TIMEOUT, SHUTDOWN_DRAIN, SHUTDOWN_SPREAD].map((text) =>
    Number.parseInt(text ?? '0', 10),
  );
  return 1_000 * seconds.reduce((sum, one) => sum + one, 0) + STOP_MORE_MS;
}
