// The refusals of one connection: counted, told to the server and answered. A fatal one ends the connection. Workers and
// line-intake.ts decide that a line is refused, and slowdown.ts how many may be.
import { type ClosingCode, type Code, type FatalCode, isFatal } from '../protocol/codes.ts';
import type { ForeignProtocol } from '../protocol/foreign-protocol.ts';
import type { Identify } from '../protocol/messages.ts';
import * as replies from '../protocol/replies.ts';
import { UNAUTHORIZED } from '../protocol/unauthorized.ts';
import type { LineBytes, Refusal, Session } from '../queue/job.ts';
import type { ConnectionHost } from './connection-host.ts';
import type { Denial } from './device-access.ts';
import type { Replies } from './device-replies.ts';
import type { Ending } from './ending.ts';
import type { LineInput } from './line-input.ts';
import type { LineFaults } from './line-intake.ts';

const TOO_FAST = 'lines come faster than this gateway allows, so it reads them more slowly';
const BAD_FRAME = 'no length and space where a frame has to begin, or a frame that was cut off';

/** The connection as its refusals see it. */
export interface RefusalParts extends Session {
  readonly input: LineInput;
  readonly replies: Replies;
  readonly ending: Ending;
  /** A line was refused. After too many of them, lines are taken more slowly. */
  chargeRefusal(): void;
}

export class Refusals<Connection extends RefusalParts> implements LineFaults {
  /** Refused lines. */
  lines = 0;
  /** Of the last error or closing reply. */
  lastCode: Code | ClosingCode | undefined;
  readonly #host: ConnectionHost<Connection>;
  readonly #connection: Connection;

  /** @param connection whose refusals these are, as `host` is told */
  constructor(host: ConnectionHost<Connection>, connection: Connection) {
    this.#host = host;
    this.#connection = connection;
  }

  /** A refused line. */
  answerLine({ code, message, seq }: Refusal, line: LineBytes): void {
    this.#countLine();
    this.answer(code, message, { seq }, line);
  }

  answer(code: Code, message: string, facts: replies.ErrorFacts = {}, line?: LineBytes): void {
    this.count(code, message, line);
    const { ending } = this.#connection;
    if (ending.hasBegun) return;
    const reply = replies.refused(code, message, facts);
    if (isFatal(code)) ending.begin(code, reply);
    else this.#connection.replies.send(reply);
  }

  /** The device may not identify. Counted at once: a guesser need not wait for the answer. */
  deny(denial: Denial, message: Identify, line: LineBytes): void {
    this.#countLine();
    const why = UNAUTHORIZED[denial.reason];
    this.count('unauthorized', why, line);
    this.#host.unauthorized(this.#connection, denial, message);
    const { ending } = this.#connection;
    if (!ending.hasBegun) ending.beginRefused(replies.refused('unauthorized', why));
  }

  /** The reply, then the end. False if the connection is ending already. */
  close(code: FatalCode, message: string, line?: LineBytes): boolean {
    if (this.#connection.ending.hasBegun) return false;
    this.answer(code, message, {}, line);
    return true;
  }

  /** A refusal that is answered later or not at all. */
  count(code: Code, message: string, line?: LineBytes): void {
    this.#host.counters.refused[code]++;
    this.lastCode = code;
    this.#host.refused(this.#connection, { code, message }, line);
  }

  // --- called by the intake ---

  wrongProtocol(protocol: ForeignProtocol, line: LineBytes): void {
    this.#host.wrongProtocol(this.#connection, protocol);
    this.close('wrong_protocol', `this is a port for lines of JSON, and these bytes are ${protocol}`, line);
  }

  lineTooLong(): boolean {
    const { plain, frame, input } = this.#connection;
    const { framer } = input;
    this.#countLine();
    if (plain === undefined) {
      const kind = frame === undefined ? 'an identify line' : 'a line';
      this.close('line_too_long', tooLong(kind, framer.maxLineBytes), framer);
      return false;
    }
    // A sender would write the same line again and again if it ended the connection.
    this.count('line_too_long', tooLong('a line', framer.maxLineBytes), framer);
    this.#connection.chargeRefusal();
    return true;
  }

  badFrame(): void {
    this.#countLine();
    this.#host.framingLost(this.#connection);
    this.close('wrong_protocol', BAD_FRAME, this.#connection.input.framer);
  }

  rateLimited(): void {
    this.answer('rate_limited', TOO_FAST);
  }

  #countLine(): void {
    const { counters } = this.#host;
    counters.linesRefused++;
    if (this.#connection.plain !== undefined) counters.plainLines.refused++;
    this.lines++;
  }
}

function tooLong(kind: string, maxLineBytes: number): string {
  return `${kind} has at most ${maxLineBytes} bytes`;
}
