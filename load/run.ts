// One run of the load, from its plan to its result: starts the processes, opens the connections, loads, waits for the
// confirmations and reads the topic back.
import { randomBytes } from 'node:crypto';
import { connect } from 'node:net';
import { type LoadPlan, readingsOf, type Target } from './plan.ts';
import { Clock } from './processes/clock.ts';
import { LoadProcesses } from './processes/load-processes.ts';
import { faultsOf, type Latencies, type LoadResult, type StepResult } from './report/result.ts';
import type { Totals } from './report/totals.ts';
import { nextRate, stepResult } from './steps.ts';
import type { Verdict } from './verification/verifier.ts';

export type Stage = 'connecting' | 'ramp' | 'load' | 'confirming' | 'closing' | 'reading back';

/** The state of a run, for a display. */
export interface Progress {
  readonly stage: Stage;
  /** How much of the phase of load has passed, from 0 to 1. */
  readonly share: number;
  /** Messages a second; 0 = at full speed. */
  readonly rate: number;
  readonly totals: Totals;
}

export interface LoadHooks {
  /** Called once, before the load begins. */
  started(progress: () => Progress): void;
  stepDone?(step: StepResult): void;
}

/** The load could not begin. The message is for people. */
export class LoadError extends Error {}

const PROBE_TIMEOUT_MS = 5_000;
/** A phase begins so much later, so that every process knows of it in time. */
const LEAD_US = 50_000;
const MAX_STEPS = 200;
/** A failed step is tried again: one hiccup of the machine is not the gateway's limit. */
const TRIES = 2;

/** If `signal` is aborted, the load ends early, and the result is about the messages sent so far. */
export async function runLoad(plan: LoadPlan, hooks: LoadHooks, signal: AbortSignal): Promise<LoadResult> {
  await probe(plan.target);
  const run = new LoadRun(plan, signal);
  hooks.started(() => run.progress);
  return run.result(hooks);
}

class LoadRun {
  readonly #plan: LoadPlan;
  readonly #signal: AbortSignal;
  readonly #clock = new Clock();
  // Begins with a letter: in `name=value` text the gateway would take some hexadecimal names for numbers.
  readonly #name = `r${randomBytes(4).toString('hex')}`;
  readonly #processes: LoadProcesses;
  #stage: Stage = 'connecting';
  #rate: number;
  #fromUs = 0;
  #untilUs = 0;
  #loadUs = 0;

  constructor(plan: LoadPlan, signal: AbortSignal) {
    this.#plan = plan;
    this.#signal = signal;
    this.#rate = plan.rate;
    this.#processes = new LoadProcesses(plan);
    signal.addEventListener('abort', () => void this.#processes.stopEarly());
  }

  get progress(): Progress {
    const share = (this.#clock.nowUs() - this.#fromUs) / (this.#untilUs - this.#fromUs);
    return {
      stage: this.#stage,
      share: this.#untilUs === 0 ? 0 : Math.min(1, Math.max(0, share)),
      rate: this.#rate,
      totals: this.#processes.totals,
    };
  }

  async result(hooks: LoadHooks): Promise<LoadResult> {
    const startedAt = new Date().toISOString();
    try {
      await this.#processes.setUp(this.#name, this.#clock);
      // Aborted before there was anything to stop.
      if (this.#signal.aborted) await this.#processes.stopEarly();
      if (this.#plan.rampMs === 0) await this.#processes.open();
      const outcome = this.#plan.step === undefined ? await this.#single() : await this.#steps(hooks);
      return this.#report(startedAt, outcome);
    } finally {
      await this.#processes.stop();
    }
  }

  async #single(): Promise<Outcome> {
    await this.#phase(this.#plan.rate, this.#plan.rampMs);
    await this.#confirm();
    const readBack = await this.#finish();
    return { readBack, latencyMs: this.#processes.totals.takeLatencies() };
  }

  async #steps(hooks: LoadHooks): Promise<Outcome> {
    const plan = this.#plan;
    const steps: StepResult[] = [];
    let highestRate = 0;
    let before: Verdict | undefined;
    let rate = plan.rate;
    let rampMs = plan.rampMs;
    for (let failures = 0; failures < TRIES && steps.length < MAX_STEPS && !this.#signal.aborted; ) {
      const countsBefore = this.#processes.totals.counts;
      await this.#phase(rate, rampMs);
      rampMs = 0;
      const accounts = await this.#confirm();
      this.#stage = 'reading back';
      const verdict = await this.#processes.settle(accounts);
      if (this.#signal.aborted) break;
      const latencyMs = this.#processes.totals.takeLatencies();
      const counts = this.#processes.totals.counts;
      const step = stepResult(plan, rate, { latencyMs, counts, countsBefore, verdict, before });
      before = verdict;
      steps.push(step);
      hooks.stepDone?.(step);
      if (step.why.length > 0) {
        failures++;
        continue;
      }
      failures = 0;
      highestRate = rate;
      rate = nextRate(rate, plan.step);
    }
    const shown = steps.findLast(({ why }) => why.length === 0) ?? steps.at(-1);
    const latencyMs = shown?.latencyMs ?? this.#processes.totals.takeLatencies();
    return { readBack: await this.#finish(), latencyMs, steps, highestRate };
  }

  async #phase(rate: number, rampMs: number): Promise<void> {
    const { durationMs, warmUpMs } = this.#plan;
    const startUs = this.#clock.nowUs() + LEAD_US;
    const loadedUs = startUs + rampMs * 1000;
    const endUs = loadedUs + durationMs * 1000;
    const measureFromUs = loadedUs + warmUpMs * 1000;
    this.#rate = rate;
    this.#fromUs = startUs;
    this.#untilUs = endUs;
    this.#stage = rampMs > 0 ? 'ramp' : 'load';
    const loaded = setTimeout(() => {
      this.#stage = 'load';
    }, rampMs);
    try {
      await this.#processes.run({ startUs, endUs, measureFromUs, rate }, rampMs);
    } finally {
      clearTimeout(loaded);
    }
  }

  async #confirm() {
    this.#stage = 'confirming';
    const accounts = await this.#processes.drain();
    this.#loadUs += this.#clock.nowUs() - this.#fromUs;
    return accounts;
  }

  async #finish(): Promise<Verdict | undefined> {
    this.#stage = 'closing';
    const accounts = await this.#processes.close();
    this.#stage = 'reading back';
    return this.#processes.settle(accounts);
  }

  #report(startedAt: string, { readBack, ...outcome }: Outcome): LoadResult {
    const { readBack: kafka, token: _, target, ...plan } = this.#plan;
    const { counts, codes, errors, cpuSeconds } = this.#processes.totals;
    const seconds = this.#loadUs / 1e6;
    const result = {
      run: this.#name,
      startedAt,
      interrupted: this.#signal.aborted,
      plan: {
        ...plan,
        target: { host: target.host, port: target.port, tls: target.tls !== undefined },
        brokers: kafka?.brokers ?? [],
        topic: kafka?.topic,
      },
      seconds,
      counts,
      readings: counts.messages * readingsOf(plan.shape),
      sentPerSecond: counts.messages / seconds,
      confirmedPerSecond: counts.confirmed / seconds,
      codes,
      errors,
      loadCpuSeconds: cpuSeconds,
      ...(readBack !== undefined && { readBack }),
      ...outcome,
    };
    return { ...result, faults: faultsOf(result) };
  }
}

interface Outcome {
  readonly readBack: Verdict | undefined;
  readonly latencyMs: Latencies;
  readonly steps?: readonly StepResult[];
  readonly highestRate?: number;
}

/** Rejects with LoadError if nothing listens. */
function probe({ host, port }: Target): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, timeout: PROBE_TIMEOUT_MS });
    const fail = (why: string) => {
      socket.destroy();
      reject(new LoadError(`nothing answers at ${host}:${port} (${why})`));
    };
    socket.once('connect', () => {
      socket.destroy();
      resolve();
    });
    socket.once('timeout', () => fail('timeout'));
    socket.once('error', (error: NodeJS.ErrnoException) => fail(error.code ?? error.message));
  });
}
