// How long the gateway waits for the peer of one connection: to identify, to end a line, to send anything at all. While the
// gateway is late itself, the peer's silence does not count. Its deadlines are `identify`, `line` and `inactive`.
import type { FatalCode } from '../protocol/codes.ts';
import type { Session } from '../queue/job.ts';
import type { ConnectionOptions } from './connection-host.ts';
import type { Deadline, Deadlines } from './deadlines.ts';
import type { Ending } from './ending.ts';
import type { LineInput } from './line-input.ts';
import { PAUSE, type ReadPauses } from './read-pauses.ts';
import type { TimerWheel } from './timer-wheel.ts';

type PatienceOptions = Pick<ConnectionOptions, 'identifyTimeoutMs' | 'inactivityTimeoutMs' | 'lineTimeoutMs'>;

export interface PatienceParts extends Pick<Session, 'frame' | 'plain'> {
  readonly host: { readonly options: PatienceOptions; readonly wheel: TimerWheel };
  readonly input: LineInput;
  readonly readPauses: ReadPauses;
  readonly deadlines: Deadlines;
  readonly ending: Ending;
  close(code: FatalCode, message: string): void;
}

export class Patience {
  readonly #parts: PatienceParts;
  #isIdentifyOverdue = false;
  /** On the wheel's clock. */
  #heardAtTick: number;

  constructor(parts: PatienceParts) {
    this.#parts = parts;
    const { deadlines, host } = parts;
    const { wheel, options } = host;
    const { identifyTimeoutMs, inactivityTimeoutMs } = options;
    if (this.#mustIdentify) deadlines.set('identify', identifyTimeoutMs);
    this.#heardAtTick = wheel.now;
    deadlines.set('inactive', inactivityTimeoutMs);
  }

  /**
   * Bytes came, or the peer is read again: it was not silent while the gateway did not read it. Called for each read, so
   * it only notes the time. The deadline is moved when it passes.
   */
  heard(): void {
    this.#heardAtTick = this.#parts.host.wheel.now;
  }

  /** Time since the last bytes. */
  get silentMs(): number {
    return this.#parts.host.wheel.msSince(this.#heardAtTick);
  }

  /** The device has identified, or has no more time to. */
  endIdentify(): void {
    this.#parts.deadlines.clear('identify');
  }

  /** A line was judged. If it was no identify, and the time to identify passed meanwhile, the connection ends. */
  lineJudged(): void {
    if (this.#isIdentifyOverdue && this.#mustIdentify) this.#onIdentifyOverdue();
  }

  /** Closes the connection if its peer is late. False if the deadline is another's. */
  onDeadline(deadline: Deadline): boolean {
    if (deadline === 'identify') this.#onIdentifyOverdue();
    else if (deadline === 'line') this.#onLineOverdue();
    else if (deadline === 'inactive') this.#onSilence();
    else return false;
    return true;
  }

  #onIdentifyOverdue(): void {
    // Its line came in time, and the gateway has not looked at it.
    if (this.#identifyWaits) this.#isIdentifyOverdue = true;
    else this.#parts.close('identify_timeout', `identify within ${this.#options.identifyTimeoutMs} ms`);
  }

  #onLineOverdue(): void {
    if (!this.#isRead) return;
    this.#parts.close('line_timeout', `a line has to end within ${this.#options.lineTimeoutMs} ms`);
  }

  #onSilence(): void {
    // Senders of plain lines know no keepalive, and lose their next line into a connection that was closed.
    const { plain, ending } = this.#parts;
    const maySleep = plain !== undefined && ending.isOpen;
    if (maySleep || !this.#isRead || this.#identifyWaits) this.heard();
    const { inactivityTimeoutMs } = this.#options;
    const leftMs = inactivityTimeoutMs - this.silentMs;
    if (leftMs > 0) this.#parts.deadlines.set('inactive', leftMs);
    else this.#parts.close('inactive', `nothing was received for ${inactivityTimeoutMs} ms`);
  }

  get #options(): PatienceOptions {
    return this.#parts.host.options;
  }

  get #mustIdentify(): boolean {
    return this.#parts.frame === undefined;
  }

  get #isRead(): boolean {
    return this.#parts.readPauses.reasons === 0;
  }

  /** The gateway has not judged the first line yet. */
  get #identifyWaits(): boolean {
    const { input, readPauses: pauses } = this.#parts;
    return this.#mustIdentify && (input.pendingJobs > 0 || pauses.has(PAUSE.queue));
  }
}
