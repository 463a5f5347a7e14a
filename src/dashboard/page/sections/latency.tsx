// Percentiles of the last minute, from the differences of the gateway's histograms.
import type { HistogramShape, SnapshotShape } from '../api/shapes.ts';
import { countIn, differenceOf, percentileOf } from '../figures/percentiles.ts';
import { LATENCY_WINDOW_SECONDS, spanOf } from '../figures/rates.ts';
import { short } from '../format/numbers.ts';
import { latency } from '../format/times.ts';
import { Cell } from '../parts/cell.tsx';
import { Section } from '../parts/section.tsx';
import { Table } from '../parts/table.tsx';

interface Measured {
  readonly label: string;
  readonly about: string;
  readonly read: (figures: SnapshotShape) => HistogramShape;
}

const MEASURED: readonly Measured[] = [
  { label: 'Line to worker', about: 'received until handled', read: ({ queue }) => queue.waitSeconds },
  {
    label: 'Line to stored',
    about: 'received until answered stored',
    read: ({ lines }) => lines.toStoredSeconds,
  },
  { label: 'Line to Kafka', about: 'received until Kafka had it', read: ({ lines }) => lines.toKafkaSeconds },
  { label: 'Request to Kafka', about: 'sent until answered', read: ({ kafka }) => kafka.produceSeconds },
  { label: 'Sync of the spool', about: 'fdatasync', read: ({ spool }) => spool.syncSeconds },
  {
    label: 'Event loop',
    about: 'how late it was',
    read: ({ process }) => process.eventLoopDelaySeconds,
  },
];

const SHARES = [0.5, 0.9, 0.99, 0.999] as const;

const COLUMNS = [
  ['Time'],
  ...SHARES.map((share) => [`p${share * 100}`, 'number'] as const),
  ['Values', 'number'],
] as const;

export function LatencySection({ recent }: { readonly recent: readonly SnapshotShape[] }) {
  const span = spanOf(recent, LATENCY_WINDOW_SECONDS);
  const seconds = span === null ? 0 : Math.round(span.seconds);
  return (
    <Section id="latency" title="Latency" note={`of the last ${seconds} s`}>
      <div class="card scroll">
        <Table columns={COLUMNS} class="latency">
          {MEASURED.map(({ label, about, read }) => {
            const values = span && differenceOf(read(span.now), read(span.before));
            return (
              <tr key={label}>
                <th scope="row">
                  {label}
                  <span class="unit under">{about}</span>
                </th>
                {SHARES.map((share) => (
                  <Cell column={`p${share * 100}`} isNumber key={share}>
                    {latency(values && percentileOf(values, share))}
                  </Cell>
                ))}
                <Cell column="Values" isNumber>
                  {short(values === null ? 0 : countIn(values))}
                </Cell>
              </tr>
            );
          })}
        </Table>
      </div>
    </Section>
  );
}
