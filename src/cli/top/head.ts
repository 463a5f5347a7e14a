// The upper part of `sluice top`: state, flow, latency, Kafka and the spool. On a narrow terminal the last parts of a line go.
import { bytesText, timeText } from '../../config/amounts.ts';
import { cut } from '../terminal/cell.ts';
import type { Line } from '../terminal/screen.ts';
import type { Figures } from './figures.ts';

const LABEL = 9;
/** More are only counted. */
const MAX_TROUBLES = 3;

export function headLines(figures: Figures, width: number): Line[] {
  const { ready, version, uptimeSeconds, processes } = figures;
  const answering = processes.filter(Boolean).length;
  const line = (label: string, ...parts: (string | false)[]): Line => ({
    text: fitted(
      label,
      parts.filter((part) => part !== false),
      width,
    ),
  });
  const rate = (name: string) => rateText(figures.rate(name));
  const value = (name: string) => figures.value(name);
  return [
    {
      text: fitted(
        'sluice',
        [
          ready ? 'READY' : 'NOT READY',
          `up ${timeText(uptimeSeconds * 1000)}`,
          processes.length > 1 ? `${answering} of ${processes.length} processes` : 'one process',
          version,
          figures.at.slice(11, 19),
        ],
        width,
      ),
      style: ready ? 'title' : 'alarm',
    },
    ...troubleLines(figures, width),
    line(
      'devices',
      `${countText(value('connections.active'))} of ${countText(value('connections.maximum'))}`,
      `${rate('connections.accepted')} new`,
      `${countText(value('connections.paused'))} paused`,
      `${countText(value('connections.slowed'))} slowed`,
      `${countText(value('connections.waiting'))} waiting`,
    ),
    line(
      'flow',
      `${rate('lines.received')} lines in`,
      `${rate('records.confirmed')} in Kafka`,
      `${rate('lines.refusedLines')} refused`,
      `${bytesRate(figures.rate('connections.receivedBytes'))} in`,
      `${bytesRate(figures.rate('kafka.bytesSent'))} to Kafka`,
    ),
    line(
      'latency',
      `to stored ${quantiles(figures, 'lines.toStoredSeconds')}`,
      `to Kafka ${quantiles(figures, 'lines.toKafkaSeconds')}`,
      `(p50, p99)`,
      `queue ${quantiles(figures, 'queue.waitSeconds')}`,
    ),
    line(
      'kafka',
      `${countText(value('records.inFlight'))} in flight`,
      `oldest ${timeText(value('kafka.oldestUnconfirmedSeconds') * 1000)}`,
      `buffer ${share(value('kafka.bufferBytes'), value('kafka.bufferCapacityBytes'))}`,
      `${rate('kafka.retries')} retries`,
      `${countText(value('records.deadLettered'))} dead letters`,
    ),
    line(
      'spool',
      `${countText(value('records.spooled'))} records`,
      `oldest ${timeText(value('spool.oldestSeconds') * 1000)}`,
      `${bytesText(value('spool.bytes'))}, ${share(value('spool.bytes'), value('spool.capacityBytes'))}`,
      `${value('spool.growthBytesPerSecond') < 0 ? '-' : '+'}${bytesRate(Math.abs(value('spool.growthBytesPerSecond')))}`,
    ),
    line(
      'process',
      `cpu ${percent(figures.rate('process.cpuSeconds'))}`,
      `memory ${bytesText(value('process.residentBytes'))}`,
      `late p99 ${timeText(value('process.eventLoopLagP99Seconds') * 1000)}`,
      `queue ${share(value('queue.depth'), value('queue.capacity'))}`,
    ),
  ];
}

/** With reason and remedy, as far as there is room. */
function troubleLines({ troubles }: Figures, width: number): Line[] {
  const shown = troubles
    .slice(0, MAX_TROUBLES)
    .flatMap(({ id, state, reason, remedy }): Line[] => [
      { text: cut(`${id} ${state}: ${reason}`, width), style: 'alarm' },
      ...(remedy === '' ? [] : [{ text: cut(`  to do: ${remedy}`, width) }]),
    ]);
  const more = troubles.length - MAX_TROUBLES;
  return more > 0
    ? [...shown, { text: cut(`and ${more} more: sluice health`, width), style: 'alarm' }]
    : shown;
}

/** The first part stays, though cut. */
function fitted(label: string, parts: readonly string[], width: number): string {
  let text = label.padEnd(LABEL);
  for (const [at, part] of parts.entries()) {
    const longer = `${text}${at === 0 ? '' : '  '}${part}`;
    if (longer.length > width && at > 0) break;
    text = longer;
  }
  return cut(text, width);
}

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const FINE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });

export function countText(count: number): string {
  return WHOLE.format(count);
}

function rateText(rate: number | null): string {
  return rate === null ? '-/s' : `${(rate < 10 ? FINE : WHOLE).format(rate)}/s`;
}

function bytesRate(rate: number | null): string {
  return rate === null ? '-' : `${bytesText(rate)}/s`;
}

function quantiles(figures: Figures, name: string): string {
  const text = (share: number) => {
    const seconds = figures.quantile(name, share);
    return seconds === null ? '-' : timeText(seconds * 1000);
  };
  return `${text(0.5)} ${text(0.99)}`;
}

function share(used: number, capacity: number): string {
  return capacity === 0 ? '0 %' : `${FINE.format((100 * used) / capacity)} %`;
}

function percent(rate: number | null): string {
  return rate === null ? '-' : `${WHOLE.format(100 * rate)} %`;
}
