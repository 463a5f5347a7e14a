// GET /tap: asks each process again and again for the events of one tap, and writes them. While the client does not read,
// nobody is asked: the processes count the lines that are passed over. docs/admin-api.md has the form of the events.
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Inspection } from '../../inspect/inspection.ts';
import type { FateEvent, LineEvent, TapAnswer } from '../../inspect/line-questions.ts';
import type { Operation } from '../operations.ts';
import type { OutStream } from '../out-stream.ts';
import { type EndReason, MAX_STREAMS, type Reply, type StreamReply, text } from '../reply.ts';
import type { Visit } from '../visit.ts';
import { TAP_PARAMETERS, type TapWish, wishOf } from './wish.ts';

const ASK_EVERY_MS = 200;
/** A process that does not answer is asked more rarely. */
const MISSING_MS = 1_000;
const COUNT_EVERY_MS = 1_000;

/** The events of the answer. */
export type TapStreamEvent =
  | {
      readonly event: 'begin';
      readonly limit_per_second: number;
      readonly seconds: number;
      readonly processes: readonly number[];
    }
  | (Omit<LineEvent, 'id'> & { readonly id: string; readonly process: number })
  | (Omit<FateEvent, 'id'> & { readonly id: string })
  | { readonly event: 'fate'; readonly id: string; readonly fate: 'unknown' }
  | { readonly event: 'passed_over'; readonly lines: number }
  | { readonly event: 'missing'; readonly processes: readonly number[] }
  | { readonly event: 'end'; readonly reason: EndReason | 'time'; readonly undecided: number };

type Write = (event: TapStreamEvent) => string;

const TYPES = {
  lines: 'application/x-ndjson; charset=utf-8',
  events: 'text/event-stream; charset=utf-8',
} as const;

export const TAP: Operation = {
  about: 'A sample of live lines with their fate.',
  parameters: TAP_PARAMETERS,
  answers: {
    200: {
      about:
        'an event on each line, or as server-sent events if `Accept` has `text/event-stream`, until the time is over, the login ends or the gateway stops',
      content: { [TYPES.lines]: { lines: 'TapEvent' }, [TYPES.events]: { messages: 'TapEvent' } },
      headers: ['X-Accel-Buffering'],
    },
    400: { about: 'a parameter is wrong; the text says which' },
    503: { about: `${MAX_STREAMS.tap} taps are open` },
  },
};

export function tapReply({ query, request, inspection }: Visit): Reply | StreamReply {
  const wish = wishOf(query);
  if (typeof wish === 'string') return text(400, wish);
  const isBrowser = (request.headers.accept ?? '').includes('text/event-stream');
  const form: Write = (event) =>
    isBrowser ? `data: ${JSON.stringify(event)}\n\n` : `${JSON.stringify(event)}\n`;
  const tap = new TapStream(inspection, wish, form);
  return {
    kind: 'tap',
    type: isBrowser ? TYPES.events : TYPES.lines,
    keepAlive: form({ event: 'passed_over', lines: 0 }),
    farewell: (reason) => tap.end(reason),
    begin: (out) => tap.begin(out),
  };
}

class TapStream {
  readonly #id = randomUUID();
  readonly #inspection: Inspection;
  readonly #wish: TapWish;
  readonly #form: Write;
  /** Lines whose fate is to come, as `process-id`. */
  readonly #undecided = new Set<string>();
  readonly #missing = new Set<number>();
  #passedOver = 0;
  /** Each process keeps to the limit by itself. This is for all together. */
  #tokens: number;
  #refilledAtMs = performance.now();

  constructor(inspection: Inspection, wish: TapWish, form: Write) {
    this.#inspection = inspection;
    this.#wish = wish;
    this.#form = form;
    this.#tokens = wish.linesPerSecond;
  }

  begin(out: OutStream): void {
    const { linesPerSecond, seconds } = this.#wish;
    const { processes } = this.#inspection;
    out.write(this.#form({ event: 'begin', limit_per_second: linesPerSecond, seconds, processes }));
    const counting = setInterval(() => this.#count(out), COUNT_EVERY_MS);
    const ending = setTimeout(() => out.end(this.end('time')), seconds * 1000);
    out.signal.addEventListener('abort', () => {
      clearInterval(counting);
      clearTimeout(ending);
    });
    for (const process of processes) void this.#follow(process, out);
  }

  /** The last event. */
  end(reason: EndReason | 'time'): string {
    const passedOver =
      this.#passedOver === 0 ? '' : this.#form({ event: 'passed_over', lines: this.#passedOver });
    return passedOver + this.#form({ event: 'end', reason, undecided: this.#undecided.size });
  }

  async #follow(process: number, out: OutStream): Promise<void> {
    while (await out.ready()) {
      const answer = await this.#ask(process, false);
      if (out.signal.aborted) break;
      this.#note(process, answer === null, out);
      const events = answer === null ? '' : this.#textOf(process, answer);
      if (events !== '') out.write(events);
      await sleep(answer === null ? MISSING_MS : ASK_EVERY_MS, undefined, { signal: out.signal }).catch(
        () => {},
      );
    }
    await this.#ask(process, true);
  }

  async #ask(process: number, ends: boolean): Promise<TapAnswer | null> {
    const { filter, linesPerSecond } = this.#wish;
    const question = { id: this.#id, filter, linesPerSecond, ends };
    const { answers } = await this.#inspection.ask('tap', question, process);
    return answers[0]?.answer ?? null;
  }

  #textOf(process: number, { isNew, events, passedOver }: TapAnswer): string {
    this.#passedOver += passedOver;
    const lost = isNew ? this.#forget(process) : [];
    const written = events.flatMap((event) => {
      const id = `${process}-${event.id}`;
      return event.event === 'line' ? this.#lineOf(process, event, id) : this.#fateOf(event, id);
    });
    return [...lost, ...written].map(this.#form).join('');
  }

  #lineOf(process: number, { event, id: _id, at, ...facts }: LineEvent, id: string): TapStreamEvent[] {
    if (!this.#takeToken()) {
      this.#passedOver++;
      return [];
    }
    if (facts.fate === 'accepted') this.#undecided.add(id);
    return [{ event, id, at, process, ...facts }];
  }

  /** A record that is on disk may be refused later. */
  #fateOf(fate: FateEvent, id: string): TapStreamEvent[] {
    const isExpected = this.#undecided.delete(id) || fate.fate === 'refused';
    return isExpected ? [{ ...fate, id }] : [];
  }

  /** The process is another one now, so nobody knows about the lines of the former one. */
  #forget(process: number): TapStreamEvent[] {
    const lost = [...this.#undecided].filter((id) => id.startsWith(`${process}-`));
    for (const id of lost) this.#undecided.delete(id);
    return lost.map((id) => ({ event: 'fate', id, fate: 'unknown' }));
  }

  #note(process: number, isMissing: boolean, out: OutStream): void {
    if (this.#missing.has(process) === isMissing) return;
    if (isMissing) this.#missing.add(process);
    else this.#missing.delete(process);
    out.write(this.#form({ event: 'missing', processes: [...this.#missing].sort((a, b) => a - b) }));
  }

  #count(out: OutStream): void {
    if (this.#passedOver === 0) return;
    if (out.write(this.#form({ event: 'passed_over', lines: this.#passedOver }))) this.#passedOver = 0;
  }

  #takeToken(): boolean {
    const now = performance.now();
    const { linesPerSecond } = this.#wish;
    const refilled = this.#tokens + ((now - this.#refilledAtMs) / 1000) * linesPerSecond;
    // One more than the processes: their refills and ours are not at the same moments.
    this.#tokens = Math.min(linesPerSecond + 1, refilled);
    this.#refilledAtMs = now;
    if (this.#tokens < 1) return false;
    this.#tokens--;
    return true;
  }
}
