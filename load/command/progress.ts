// The progress of a run as text: a few lines for a terminal, one line for anything else.
import { printable } from '../../src/config/printable.ts';
import type { LatencySummary } from '../report/histogram.ts';
import type { Recent } from '../report/totals.ts';
import type { Progress } from '../run.ts';
import type { LiveText } from './live-text.ts';

const REDRAW_MS = 500;
const LINE_MS = 5_000;
const BAR_WIDTH = 24;

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');

/** Shows the progress until `text` is stopped. */
export function showProgress(text: LiveText, progress: () => Progress): void {
  text.every(text.redraws ? REDRAW_MS : LINE_MS, () => {
    const now = progress();
    const recent = now.totals.takeRecent();
    return text.redraws ? screen(now, recent) : plainLine(now, recent);
  });
}

export function screen({ stage, share, rate, totals }: Progress, recent: Recent): string {
  const { counts } = totals;
  const filled = Math.round(share * BAR_WIDTH);
  const bar = `${'█'.repeat(filled)}${'░'.repeat(BAR_WIDTH - filled)}`;
  const asked = rate > 0 ? `${whole(rate)}/s` : 'full speed';
  const rows = [
    `${bar} ${Math.round(share * 100)} %  ${stage}, ${asked}, ${whole(counts.open)} open`,
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

export function plainLine({ stage, totals }: Progress, recent: Recent): string {
  const { counts } = totals;
  return [
    `${stage}: sent ${whole(counts.messages)} (${whole(recent.sentPerSecond)}/s)`,
    `confirmed ${whole(counts.confirmed)}`,
    `in Kafka ${whole(totals.delivered)}`,
    ...(recent.confirmed.count > 0 ? [latencyText(recent.confirmed)] : []),
    `errors ${errorsOf(totals)}`,
  ].join(', ');
}

/** Each code with its count. If only bad lines were refused, and with the right code, there is no error. */
function errorsOf({ codes, errors, counts }: Progress['totals']): string {
  const answers = Object.values(codes).reduce((sum, times) => sum + times, 0);
  const shown = { ...(answers > counts.badRefused && codes), ...errors };
  const all = Object.entries(shown).map(([code, times]) => `${printable(code)} ${whole(times)}`);
  if (counts.breaks > 0) all.push(`connections broken ${whole(counts.breaks)}`);
  return all.join(', ') || 'none';
}
