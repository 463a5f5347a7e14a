// The last 15 minutes as charts. The gateway remembers them, so they are there after a reload and in a new tab.
import type { History } from '../figures/history.ts';
import { bytes, perSecond, short, whole } from '../format/numbers.ts';
import { latency } from '../format/times.ts';
import { type ChartAbout, ChartCard } from '../parts/chart-card.tsx';
import { Section } from '../parts/section.tsx';

const CHARTS: readonly ChartAbout[] = [
  {
    title: 'Throughput',
    minTop: 10,
    unit: 'per second',
    lines: [
      { column: 'lines.received', isTotal: true, label: 'lines' },
      { column: 'records.confirmed', isTotal: true, label: 'records stored' },
    ],
    format: (value) => (value < 1000 ? perSecond(value) : short(value)),
  },
  {
    title: 'Line to Kafka',
    minTop: 0.1,
    axis: 'logarithmic',
    unit: '',
    lines: [
      { column: 'lines.toKafkaSeconds.p99', label: 'p99' },
      { column: 'lines.toKafkaSeconds.p50', label: 'p50' },
    ],
    format: latency,
  },
  {
    title: 'Spool',
    minTop: 1024 * 1024,
    axis: 'binary',
    unit: 'on disk',
    lines: [{ column: 'spool.bytes', label: 'bytes' }],
    format: bytes,
  },
  {
    title: 'Devices',
    minTop: 10,
    unit: 'connected',
    lines: [{ column: 'connections.active', label: 'connections' }],
    format: whole,
  },
  {
    title: 'Refused',
    minTop: 1,
    unit: 'per second',
    lines: [{ column: 'lines.refused', isTotal: true, label: 'error replies' }],
    format: perSecond,
  },
  {
    title: 'CPU',
    minTop: 0.1,
    unit: 'cores',
    lines: [{ column: 'process.cpuSeconds', isTotal: true, label: 'busy' }],
    format: (value) => value.toFixed(2),
  },
];

export function ChartsSection({ history }: { readonly history: History }) {
  return (
    <Section id="history" title="Last 15 minutes" note="kept by the gateway across reloads">
      <div class="charts">
        {CHARTS.map((about) => (
          <ChartCard key={about.title} about={about} history={history} />
        ))}
      </div>
    </Section>
  );
}
