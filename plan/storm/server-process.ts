// A simulated server process: accepts, has its TLS handshakes and handles identify, as much in a turn as the real one.
import { TURN_BUDGET_MS } from '../../src/queue/turn-budget.ts';
import { HandshakeQueue } from '../../src/server/handshake-queue.ts';
import type { Asker, FirstProcess } from './first-process.ts';
import type { Costs, Limits } from './model.ts';
import { NumberQueue } from './queue.ts';
import { type Machine, Worker } from './worker.ts';

/** A connection that waits for its handshake. */
export interface Waiting {
  /** Its address. */
  readonly key: string;
  readonly ticket: number;
}

/** A ticket stands for one attempt of a device. */
export interface ServerHost {
  readonly costs: Costs;
  readonly limits: Limits;
  readonly tls: boolean;
  /** The next connection of the kernel's queue. */
  accept(): number | undefined;
  /** The device has given up. */
  isGone(ticket: number): boolean;
  refuse(ticket: number, atMs: number): void;
  /** The first answer of a handshake is sent. */
  answered(ticket: number, atMs: number): void;
  identified(ticket: number, atMs: number): void;
}

/** CPU time of lines in a turn. */
const LINES_US = TURN_BUDGET_MS * 1000;

export class ServerProcess extends Worker implements Asker {
  readonly handshakes = new HandshakeQueue<Waiting>();
  /** Connections that wait for the answer of the first process. */
  asking = 0;
  readonly #host: ServerHost;
  readonly #first: FirstProcess<ServerProcess>;
  readonly #arrived = new NumberQueue();
  readonly #lines = new NumberQueue();
  readonly #secondHalves = new NumberQueue();
  #underWay = 0;

  constructor(host: ServerHost, machine: Machine, first: FirstProcess<ServerProcess>) {
    super(machine);
    this.#host = host;
    this.#first = first;
  }

  /** The process waited for events, and was first to accept. */
  arrived(ticket: number, nowMs: number): void {
    this.#arrived.push(ticket);
    this.wake(nowMs);
  }

  /** A connection has its place, and its first message is here. */
  ready(waiting: Waiting, nowMs: number): void {
    if (this.#host.tls) this.handshakes.add(waiting);
    else this.#lines.push(waiting.ticket);
    this.wake(nowMs);
  }

  /** The device has answered in the handshake, and sent identify. */
  secondHalf(ticket: number, nowMs: number): void {
    this.#secondHalves.push(ticket);
    this.wake(nowMs);
  }

  protected turn(startMs: number, slowness: number): number | undefined {
    const { costs, limits } = this.#host;
    const at = (us: number): number => startMs + (us / 1000) * slowness;
    let us = this.#accept(startMs);
    const halves = this.#secondHalves.size;
    for (let half = 0; half < halves; half++) {
      const ticket = this.#secondHalves.shift() as number;
      this.#underWay--;
      if (this.#host.isGone(ticket)) continue;
      us += costs.secondHalfUs + costs.identifyUs;
      this.#host.identified(ticket, at(us));
    }
    for (const linesFrom = us; us - linesFrom < LINES_US; ) {
      const ticket = this.#lines.shift();
      if (ticket === undefined) break;
      if (this.#host.isGone(ticket)) continue;
      us += costs.identifyUs;
      this.#host.identified(ticket, at(us));
    }
    // The real limit is one of the clock, so a slow process begins fewer handshakes in a turn.
    const leftMs = limits.handshakesMsPerTurn - halves * limits.secondHalfMs;
    for (const from = us; this.#underWay < limits.maxHandshakes; ) {
      const waiting = this.handshakes.next();
      if (waiting === undefined) break;
      us += costs.firstHalfUs;
      this.#underWay++;
      this.#host.answered(waiting.ticket, at(us));
      if (((us - from) / 1000) * slowness >= leftMs) break;
    }
    return us > 0 ? us : undefined;
  }

  #accept(nowMs: number): number {
    const { costs, limits } = this.#host;
    let us = 0;
    for (let copy = 0; copy < limits.acceptsPerTurn; copy++) {
      const ticket = this.#arrived.shift() ?? this.#host.accept();
      if (ticket === undefined) break;
      us += costs.acceptUs;
      if (this.#host.isGone(ticket)) continue;
      if (this.asking >= limits.maxAsking) this.#host.refuse(ticket, nowMs);
      else {
        this.asking++;
        this.#first.ask(ticket, this, nowMs);
      }
    }
    return us;
  }
}
