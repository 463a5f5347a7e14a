// The discrete-event simulation of a storm: each device connects, waits, fails and comes back by a rule, and each process of
// the gateways works in turns. Time is in milliseconds from the moment at which the gateways can be reached again.
//
// - Events of devices have a resolution of 1 ms. The times of the turns of processes are exact.
// - A device has one event at most. A ticket names one attempt of a device, so work for an earlier attempt is known as stale.
// - Equal worlds give equal results: all that is random comes from the seed.
import { seededRandom } from '../../load/random.ts';
import { FirstProcess } from './first-process.ts';
import { GeneratorProcess } from './generator.ts';
import { type Limits, limitsOf, type World } from './model.ts';
import { NumberQueue } from './queue.ts';
import type { Failure } from './rules.ts';
import { ServerProcess, type Waiting } from './server-process.ts';
import { type StormResult, Tally } from './tally.ts';
import { Wheel } from './wheel.ts';
import { Machine, type Worker } from './worker.ts';

/** First attempts, one for each device that takes part. */
export interface Starts {
  /** Milliseconds from the return of the gateways. */
  readonly atMs: Float64Array;
  /** Failures in a row before. */
  readonly failures: Uint8Array;
}

/**
 * Of a device. `kernel` lasts until it has its place. `served` lasts from identify, or from the second half of its handshake,
 * until it has its reply.
 */
const PHASE = {
  away: 0,
  syn: 1,
  kernel: 2,
  place: 3,
  opening: 4,
  queued: 5,
  handshake: 6,
  served: 7,
  back: 8,
} as const;

const DEVICES = 2 ** 22;
const MAX_FAILURES = 255;

const deviceOf = (ticket: number): number => ticket % DEVICES;

interface Gateway {
  readonly backlog: NumberQueue;
  readonly first: FirstProcess<ServerProcess>;
  readonly processes: readonly ServerProcess[];
}

/** @throws RangeError if there are more than 4 million devices */
export function simulate(world: World, starts: Starts): StormResult {
  return new Storm(world, starts).run();
}

class Storm {
  readonly #world: World;
  readonly #limits: Limits;
  readonly #random: () => number;
  readonly #wheel: Wheel;
  readonly #gateways: readonly Gateway[];
  readonly #generators: readonly GeneratorProcess[];
  readonly #workers: readonly Worker[];
  readonly #count: number;
  readonly #phase: Uint8Array;
  readonly #failures: Uint8Array;
  readonly #syns: Uint8Array;
  readonly #tries: Uint32Array;
  readonly #gatewayOf: Int16Array;
  readonly #attemptMs: Float64Array;
  /** When the first message of the device is at the gateway. */
  readonly #openingMs: Float64Array;
  readonly #addresses: (string | undefined)[] = [];
  readonly #waiting: (Waiting | undefined)[] = [];
  readonly #processOf: (ServerProcess | undefined)[] = [];
  readonly #tally: Tally;

  constructor(world: World, starts: Starts) {
    const count = starts.atMs.length;
    if (count > DEVICES) throw new RangeError(`at most ${DEVICES} devices can be simulated`);
    this.#world = world;
    this.#count = count;
    this.#tally = new Tally(count);
    this.#limits = limitsOf(world);
    this.#random = seededRandom(world.seed);
    this.#wheel = new Wheel(count);
    this.#phase = new Uint8Array(count).fill(PHASE.away);
    this.#failures = starts.failures.slice();
    this.#syns = new Uint8Array(count);
    this.#tries = new Uint32Array(count);
    this.#gatewayOf = new Int16Array(count);
    this.#attemptMs = new Float64Array(count);
    this.#openingMs = new Float64Array(count);
    const machines = Array.from({ length: world.gateways }, () => new Machine(world.cores, world.background));
    this.#gateways = machines.map((machine) => this.#gateway(machine));
    const [machine] = machines;
    const { generator, tls } = world;
    this.#generators =
      generator === undefined || machine === undefined
        ? []
        : Array.from({ length: generator.processes }, () => this.#generator(machine, { ...generator, tls }));
    this.#workers = [
      ...this.#generators,
      ...this.#gateways.flatMap(({ first, processes }) => [...processes, first]),
    ];
    for (let device = 0; device < count; device++) this.#wheel.at(device, starts.atMs[device] as number);
  }

  run(): StormResult {
    const { limitMs } = this.#world;
    for (let nowMs = 1; nowMs <= limitMs && !this.#tally.isComplete; nowMs++) {
      this.#wheel.advance(nowMs, (device) => this.#fire(device, nowMs));
      for (const worker of this.#workers) if (worker.isBusy) worker.run(nowMs + 1);
    }
    return this.#result();
  }

  // --- devices ---

  #fire(device: number, nowMs: number): void {
    const ticket = this.#ticketOf(device);
    switch (this.#phase[device]) {
      case PHASE.away:
        this.#due(device, nowMs);
        break;
      case PHASE.syn:
        this.#syn(device, nowMs);
        break;
      case PHASE.kernel:
        // The kernel had taken the connection, and nothing came over it.
        this.#fail(device, this.#world.tls ? 'handshake' : 'noReply', nowMs);
        break;
      case PHASE.opening:
        this.#ready(ticket, nowMs);
        break;
      case PHASE.queued: {
        const waiting = this.#waiting[device];
        if (waiting !== undefined) this.#processOf[device]?.handshakes.delete(waiting);
        this.#fail(device, 'handshake', nowMs);
        break;
      }
      case PHASE.handshake:
        this.#phase[device] = PHASE.served;
        this.#processOf[device]?.secondHalf(ticket, nowMs);
        break;
      default:
        break;
    }
  }

  #due(device: number, nowMs: number): void {
    const generator = this.#generatorOf(device);
    if (generator === undefined) this.#attempt(device, nowMs);
    else generator.due(device, nowMs);
  }

  #attempt(device: number, nowMs: number): void {
    this.#tally.attempt(nowMs);
    this.#tries[device] = (this.#tries[device] as number) + 1;
    this.#syns[device] = 0;
    this.#attemptMs[device] = nowMs;
    this.#gatewayOf[device] = Math.floor(this.#random() * this.#gateways.length);
    this.#phase[device] = PHASE.syn;
    const { rttMs } = this.#world;
    if (rttMs === 0) this.#syn(device, nowMs);
    else this.#wheel.at(device, nowMs + rttMs / 2);
  }

  /** The SYN is at the gateway. */
  #syn(device: number, nowMs: number): void {
    const { synAgainMs, patienceMs, rttMs } = this.#world;
    const { backlog, processes } = this.#gatewayOfDevice(device);
    const startMs = this.#attemptMs[device] as number;
    if (nowMs - startMs >= patienceMs) {
      this.#fail(device, 'noReply', nowMs);
      return;
    }
    if (backlog.size >= this.#limits.backlog) {
      const again = this.#syns[device] as number;
      this.#syns[device] = again + 1;
      const againMs = synAgainMs[again] ?? Number.POSITIVE_INFINITY;
      this.#wheel.at(device, startMs + Math.min(againMs + rttMs / 2, patienceMs));
      return;
    }
    this.#phase[device] = PHASE.kernel;
    const ticket = this.#ticketOf(device);
    const generator = this.#generatorOf(device);
    this.#openingMs[device] = generator === undefined ? nowMs + rttMs : Number.POSITIVE_INFINITY;
    this.#wheel.at(device, startMs + patienceMs);
    generator?.step('connected', ticket, nowMs);
    const idle = this.#idle(processes);
    if (idle === undefined) backlog.push(ticket);
    else idle.arrived(ticket, nowMs);
  }

  /** A process that waits for events. The kernel wakes all of them, and one of them is first: here each as often as another. */
  #idle(processes: readonly ServerProcess[]): ServerProcess | undefined {
    const from = Math.floor(this.#random() * processes.length);
    for (let step = 0; step < processes.length; step++) {
      const process = processes[(from + step) % processes.length] as ServerProcess;
      if (!process.isBusy) return process;
    }
    return undefined;
  }

  #admit(ticket: number, process: ServerProcess, atMs: number): void {
    const device = deviceOf(ticket);
    this.#processOf[device] = process;
    this.#phase[device] = PHASE.opening;
    // The deadline of the handshake begins with the place; until the message comes it is the only event.
    this.#attemptMs[device] = Math.min(
      this.#attemptMs[device] as number,
      atMs + this.#limits.handshakeTimeoutMs - this.#world.patienceMs,
    );
    const openingMs = this.#openingMs[device] as number;
    if (openingMs <= atMs) this.#ready(ticket, atMs);
    else if (openingMs < Number.POSITIVE_INFINITY) this.#wheel.at(device, openingMs);
    else this.#wheel.cancel(device);
  }

  /** Place and first message are there. */
  #ready(ticket: number, nowMs: number): void {
    const device = deviceOf(ticket);
    const process = this.#processOf[device];
    if (process === undefined) return;
    const waiting = { key: this.#addressOf(device), ticket };
    if (this.#world.tls) {
      this.#phase[device] = PHASE.queued;
      this.#waiting[device] = waiting;
      this.#wheel.at(device, (this.#attemptMs[device] as number) + this.#world.patienceMs);
    } else {
      this.#phase[device] = PHASE.served;
      this.#wheel.cancel(device);
    }
    process.ready(waiting, nowMs);
  }

  #answered(ticket: number, atMs: number): void {
    const device = deviceOf(ticket);
    this.#waiting[device] = undefined;
    this.#phase[device] = PHASE.handshake;
    const generator = this.#generatorOf(device);
    if (generator === undefined) this.#wheel.at(device, atMs + this.#world.rttMs);
    else {
      this.#wheel.cancel(device);
      generator.step('answered', ticket, atMs);
    }
  }

  #identified(ticket: number, atMs: number): void {
    const generator = this.#generatorOf(deviceOf(ticket));
    if (generator === undefined) this.#isBack(ticket, atMs + this.#world.rttMs / 2);
    else generator.step('identified', ticket, atMs);
  }

  #isBack(ticket: number, atMs: number): void {
    this.#phase[deviceOf(ticket)] = PHASE.back;
    this.#tally.isBack(atMs);
  }

  #refuse(ticket: number, atMs: number): void {
    this.#fail(deviceOf(ticket), 'serverFull', atMs);
  }

  /** The gateway's end of the attempt. The device hears of it half a round trip later. */
  #fail(device: number, failure: Failure, nowMs: number): void {
    const { rule, rttMs } = this.#world;
    const { first } = this.#gatewayOfDevice(device);
    if (this.#processOf[device] !== undefined) first.release();
    this.#processOf[device] = undefined;
    this.#waiting[device] = undefined;
    // From here on the ticket is stale.
    this.#tries[device] = (this.#tries[device] as number) + 1;
    this.#tally.fail(failure);
    const failures = Math.min(MAX_FAILURES, (this.#failures[device] as number) + 1);
    this.#failures[device] = failures;
    this.#phase[device] = PHASE.away;
    this.#wheel.at(device, nowMs + rttMs / 2 + rule.waitMs(failure, failures, this.#random));
    this.#generatorOf(device)?.failed(nowMs);
  }

  // --- wiring ---

  #gateway(machine: Machine): Gateway {
    const { costs, maxConnections, processes, tls } = this.#world;
    // A single process has the ledger in its own thread.
    const placeUs = processes === 1 ? 0 : costs.placeUs;
    const acceptUs = costs.acceptUs + (costs.placeUs - placeUs);
    const backlog = new NumberQueue();
    const common = {
      isGone: (ticket: number) => this.#isGone(ticket),
      refuse: (ticket: number, atMs: number) => this.#refuse(ticket, atMs),
    };
    const first = new FirstProcess<ServerProcess>(
      {
        ...common,
        placeUs,
        maxConnections,
        admit: (ticket, process, atMs) => this.#admit(ticket, process, atMs),
      },
      machine,
    );
    const host = {
      ...common,
      costs: { ...costs, acceptUs },
      tls,
      limits: this.#limits,
      accept: () => backlog.shift(),
      answered: (ticket: number, atMs: number) => this.#answered(ticket, atMs),
      identified: (ticket: number, atMs: number) => this.#identified(ticket, atMs),
    };
    return {
      backlog,
      first,
      processes: Array.from({ length: processes }, () => new ServerProcess(host, machine, first)),
    };
  }

  #generator(machine: Machine, options: ConstructorParameters<typeof GeneratorProcess>[2]): GeneratorProcess {
    return new GeneratorProcess(
      {
        connect: (device, atMs) => this.#attempt(device, atMs),
        connected: (ticket, atMs) => {
          if (this.#isGone(ticket)) return false;
          this.#openingMs[deviceOf(ticket)] = atMs;
          if (this.#phase[deviceOf(ticket)] === PHASE.opening) this.#ready(ticket, atMs);
          return false;
        },
        answered: (ticket, atMs) => {
          if (this.#isGone(ticket)) return false;
          this.#phase[deviceOf(ticket)] = PHASE.served;
          this.#processOf[deviceOf(ticket)]?.secondHalf(ticket, atMs);
          return false;
        },
        identified: (ticket, atMs) => {
          if (this.#isGone(ticket)) return false;
          this.#isBack(ticket, atMs);
          return true;
        },
      },
      machine,
      options,
    );
  }

  #ticketOf(device: number): number {
    return (this.#tries[device] as number) * DEVICES + device;
  }

  #isGone(ticket: number): boolean {
    return this.#ticketOf(deviceOf(ticket)) !== ticket;
  }

  #addressOf(device: number): string {
    const known = this.#addresses[device];
    if (known !== undefined) return known;
    const address = `10.${(device >> 16) & 255}.${(device >> 8) & 255}.${device & 255}`;
    this.#addresses[device] = address;
    return address;
  }

  #gatewayOfDevice(device: number): Gateway {
    return this.#gateways[this.#gatewayOf[device] as number] as Gateway;
  }

  #generatorOf(device: number): GeneratorProcess | undefined {
    const { length } = this.#generators;
    return length === 0 ? undefined : this.#generators[Math.floor((device * length) / this.#count)];
  }

  #result(): StormResult {
    const us = this.#gateways.flatMap(({ first, processes }) =>
      [...processes, first].map(({ cpuUs }) => cpuUs),
    );
    return this.#tally.result(
      this.#world,
      us.reduce((sum, one) => sum + one, 0),
    );
  }
}
