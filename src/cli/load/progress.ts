// What a run looks like while it lasts: a few lines redrawn on a terminal, a line now and then elsewhere.
import { createLogUpdate } from 'log-update';
import { visible } from '../../config/visible.ts';
import type { LatencySummary } from '../../load/histogram.ts';
import type { Progress } from '../../load/run.ts';
import type { Recent } from '../../load/totals.ts';

const REDRAW_MS = 500;
const LINE_MS = 5_000;
const BAR_WIDTH = 24;

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

export class Display {
  readonly #stream: NodeJS.WriteStream;
  readonly #redraw: ReturnType<typeof createLogUpdate> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(stream: NodeJS.WriteStream) {
    this.#stream = stream;
    this.#redraw = stream.isTTY ? createLogUpdate(stream) : undefined;
  }

  start(progress: () => Progress): void {
    const draw = () => {
      const now = progress();
      const recent = now.totals.takeRecent();
      if (this.#redraw) this.#redraw(screen(now, recent));
      else this.#stream.write(`${plainLine(now, recent)}\n`);
    };
    this.#timer = setInterval(draw, this.#redraw ? REDRAW_MS : LINE_MS);
  }

  /** A line that stays. */
  note(text: string): void {
    this.#redraw?.clear();
    this.#stream.write(`${visible(text)}\n`);
  }

  /** May be called twice. */
  stop(): void {
    if (this.#timer === undefined) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#redraw?.clear();
    this.#redraw?.done();
  }
}

export function screen({ phase, share, rate, totals }: Progress, recent: Recent): string {
  const { counts } = totals;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
  const asked = rate > 0 ? `${whole(rate)}/s` : 'as fast as taken';
  const rows = [
    `${bar} ${Math.round(share * 100)} %  ${phase}, ${asked}, ${whole(counts.open)} open`,
    row('sent', counts.messages, recent.sentPerSecond),
    row('confirmed', counts.confirmed, recent.confirmedPerSecond, recent.confirmed),
    row('in Kafka', totals.delivered, recent.deliveredPerSecond, recent.consumed),
    `errors     ${errorsOf(totals)}`,
  ];
  return rows.join('\n');
}

function row(name: string, count: number, perSecond: number, latency?: LatencySummary): string {
  const figures = `${name.padEnd(10)} ${whole(count).padStart(13)} ${whole(perSecond).padStart(9)}/s`;
  return latency === undefined || latency.count === 0 ? figures : `${figures}  ${latencyText(latency)}`;
}

const latencyText = ({ p50, p99, max }: LatencySummary): string =>
  `p50 ${p50.toFixed(1)} ms, p99 ${p99.toFixed(1)} ms, max ${max.toFixed(1)} ms`;

export function plainLine({ phase, totals }: Progress, recent: Recent): string {
  const { counts } = totals;
  return [
    `${phase}: sent ${whole(counts.messages)} (${whole(recent.sentPerSecond)}/s)`,
    `confirmed ${whole(counts.confirmed)}`,
    `in Kafka ${whole(totals.delivered)}`,
    ...(recent.confirmed.count > 0 ? [latencyText(recent.confirmed)] : []),
    `errors ${errorsOf(totals)}`,
  ].join(', ');
}

/** Codes and how often. Those of bad lines that were refused as they should are no errors. */
function errorsOf({ codes, errors, counts }: Progress['totals']): string {
  const answers = Object.values(codes).reduce((sum, times) => sum + times, 0);
  const shown = { ...(answers > counts.badRefused && codes), ...errors };
  const all = Object.entries(shown).map(([code, times]) => `${visible(code)} ${whole(times)}`);
  if (counts.breaks > 0) all.push(`connections broken ${whole(counts.breaks)}`);
  return all.join(', ') || 'none';
}
