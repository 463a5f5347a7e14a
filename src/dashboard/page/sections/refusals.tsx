// Refused lines and connections by their code, with the last line of each. Lines come from devices: text, never HTML.
import type { RefusalShape, SnapshotShape } from '../api/shapes.ts';
import { LATENCY_WINDOW_SECONDS, rateOf, spanOf } from '../figures/rates.ts';
import { perSecond, whole } from '../format/numbers.ts';
import { timeOfDay } from '../format/times.ts';
import { Cell } from '../parts/cell.tsx';
import { Section } from '../parts/section.tsx';
import { Table } from '../parts/table.tsx';
import { usePolled } from '../state/use-polled.ts';

interface RefusalsProps {
  readonly figures: SnapshotShape;
  readonly recent: readonly SnapshotShape[];
}

const POLL_MS = 3_000;

/** Rows are sorted by it, largest first, and do not change places all the time as they would by their counts. */
const digitsOf = (count: number) => String(count).length;

const COLUMNS = [
  ['Code', 'name'],
  ['Count', 'number'],
  ['Per second', 'number'],
  ['Last line'],
  ['Device', 'state'],
  ['At', 'narrow'],
] as const;

export function RefusalsSection({ figures, recent }: RefusalsProps) {
  const { value, problem } = usePolled<{ refusals: readonly RefusalShape[] }>('/refusals', POLL_MS);
  const samples = new Map(value?.refusals.map((one) => [one.code, one.last]));
  const span = spanOf(recent, LATENCY_WINDOW_SECONDS);
  const codes = Object.entries(figures.lines.refused)
    .filter(([, count]) => count > 0)
    .sort(([, one], [, other]) => digitsOf(other) - digitsOf(one));
  return (
    <Section id="refusals" title="Refusals" note="error replies by code, since the start">
      <div class="card scroll">
        {codes.length === 0 ? (
          <p class="empty">Nothing was refused.</p>
        ) : (
          <Table columns={COLUMNS}>
            {codes.map(([code, count]) => {
              const last = samples.get(code) ?? null;
              return (
                <tr key={code}>
                  <th scope="row">
                    <code>{code}</code>
                  </th>
                  <Cell column="Count" isNumber>
                    {whole(count)}
                  </Cell>
                  <Cell column="Per second" isNumber>
                    {perSecond(rateOf(span, ({ lines }) => lines.refused[code] ?? 0))}
                  </Cell>
                  <Cell column="Last line" class="line">
                    {last?.line && <code>{last.line}</code>}
                    <span class="unit under">{last?.message ?? ''}</span>
                  </Cell>
                  <Cell column="Device" class="device">
                    {last?.device_id ?? last?.address ?? ''}
                  </Cell>
                  <Cell column="At">{last === null ? '' : timeOfDay(last.at)}</Cell>
                </tr>
              );
            })}
          </Table>
        )}
      </div>
      {problem !== null && codes.length > 0 && <p class="note">Sample lines are missing: {problem}</p>}
    </Section>
  );
}
