// The way of the data in one row: devices, lines, records in Kafka, and those that wait or are refused on the way.
import type { SnapshotShape } from '../api/shapes.ts';
import { differenceOf, percentileOf } from '../figures/percentiles.ts';
import { LATENCY_WINDOW_SECONDS, RATE_WINDOW_SECONDS, rateOf, spanOf } from '../figures/rates.ts';
import { refusals } from '../figures/refusals.ts';
import { bytes, perSecond, short, whole } from '../format/numbers.ts';
import { age, latency } from '../format/times.ts';
import { Section } from '../parts/section.tsx';
import { Tile } from '../parts/tile.tsx';

interface FlowProps {
  readonly figures: SnapshotShape;
  readonly recent: readonly SnapshotShape[];
}

export function FlowSection({ figures, recent }: FlowProps) {
  const span = spanOf(recent, RATE_WINDOW_SECONDS);
  const minute = spanOf(recent, LATENCY_WINDOW_SECONDS);
  const toKafka = minute && differenceOf(minute.now.lines.toKafkaSeconds, minute.before.lines.toKafkaSeconds);
  const { connections, records, spool } = figures;
  return (
    <Section id="flow" title="Flow" note={`rates of the last ${RATE_WINDOW_SECONDS} s`}>
      <ul class="tiles">
        <Tile label="Devices" value={whole(connections.active)} href="#connections">
          {whole(connections.identified)} identified, {whole(connections.paused)} paused
        </Tile>
        <Tile
          label="Received"
          value={perSecond(rateOf(span, ({ lines }) => lines.received))}
          unit="lines/s"
          href="#history"
        >
          {bytes(rateOf(span, (one) => one.connections.receivedBytes))}/s
        </Tile>
        <Tile
          label="Stored in Kafka"
          value={perSecond(rateOf(span, (one) => one.records.confirmed))}
          unit="records/s"
          href="#topics"
        >
          {bytes(rateOf(span, ({ kafka }) => kafka.bytesSent))}/s compressed
        </Tile>
        <Tile label="To Kafka, p99" value={latency(toKafka && percentileOf(toKafka, 0.99))} href="#latency">
          p50 {latency(toKafka && percentileOf(toKafka, 0.5))}
        </Tile>
        <Tile label="In the spool" value={short(records.spooled)} unit="records" href="#spool">
          {bytes(spool.bytes)}, oldest {age(spool.oldestSeconds)}
        </Tile>
        <Tile label="Refused" value={perSecond(rateOf(span, refusals))} unit="/s" href="#refusals">
          {short(refusals(figures))} since the start
        </Tile>
      </ul>
    </Section>
  );
}
