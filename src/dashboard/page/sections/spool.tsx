// The records on disk: how much, how old, and how long the room lasts.
import type { SnapshotShape } from '../api/shapes.ts';
import { bytes, percent, whole } from '../format/numbers.ts';
import { age } from '../format/times.ts';
import { Meter } from '../parts/meter.tsx';
import { Section } from '../parts/section.tsx';

/** Below this, growth is noise. */
const MIN_GROWTH_BYTES_PER_SECOND = 1;

export function SpoolSection({
  figures: { spool, records, deadLetters, kafka },
}: {
  readonly figures: SnapshotShape;
}) {
  const room = Math.min(spool.capacityBytes - spool.bytes, spool.diskFreeBytes ?? Number.POSITIVE_INFINITY);
  const growth = spool.growthBytesPerSecond;
  const lasts = growth > MIN_GROWTH_BYTES_PER_SECOND ? age(room / growth) : 'does not grow';
  const used = `${bytes(spool.bytes)} of ${bytes(spool.capacityBytes)}`;
  const buffer = `${bytes(kafka.bufferBytes)} of ${bytes(kafka.bufferCapacityBytes)}`;
  const rows: readonly (readonly [string, string])[] = [
    ['Records', whole(records.spooled)],
    ['Oldest record', age(spool.oldestSeconds)],
    ['Growth', `${bytes(growth)}/s`],
    ['Room lasts', lasts],
    ['Free on the disk', bytes(spool.diskFreeBytes)],
    ['Partitions on disk', whole(spool.partitions)],
    ['Dead letters waiting', whole(deadLetters.waiting)],
  ];
  return (
    <Section id="spool" title="Spool" note="records on disk until Kafka has them">
      <div class="card pad">
        <p class="meter-head">
          <span>Spool</span>
          <span class="number">
            {used} ({percent(spool.capacityBytes > 0 ? spool.bytes / spool.capacityBytes : 0)})
          </span>
        </p>
        <Meter label="Spool used" value={spool.bytes} limit={spool.capacityBytes} text={used} />
        <p class="meter-head">
          <span>Unconfirmed in memory</span>
          <span class="number">{buffer}</span>
        </p>
        <Meter
          label="Memory used"
          value={kafka.bufferBytes}
          limit={kafka.bufferCapacityBytes}
          text={buffer}
        />
        <dl class="facts">
          {rows.map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Section>
  );
}
