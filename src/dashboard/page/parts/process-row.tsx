// One process as a row: its load, its cost, and the button that looks into it.
import type { SnapshotShape } from '../api/shapes.ts';
import { bytes, percent, perSecond, UNKNOWN, whole } from '../format/numbers.ts';
import { latency } from '../format/times.ts';
import { Cell } from './cell.tsx';
import { StateMark } from './state-mark.tsx';

interface RowProps {
  /** Its number, or `first`: the process that opens the ports for the others and serves no device. */
  readonly name: string;
  readonly pid: number | undefined;
  readonly figures: SnapshotShape['byProcess'];
  /** Per second; null if it is not known. */
  readonly rate: (name: string, figure: 'cpuSeconds' | 'linesReceived' | 'recordsConfirmed') => number | null;
  readonly isChosen: boolean;
  /** Undefined if there is only one. */
  readonly onView: ((process: number | null) => void) | undefined;
}

export function ProcessRow({ name, pid, figures, rate, isChosen, onView }: RowProps) {
  const isFirst = name === 'first';
  const cpu = rate(name, 'cpuSeconds');
  const known = (value: number | undefined, format: (value: number) => string) =>
    value === undefined ? UNKNOWN : format(value);
  return (
    <tr class={isChosen ? 'is-chosen' : ''}>
      <th scope="row">
        {isFirst ? 'First process' : `Process ${name}`}{' '}
        <span class="unit">{isFirst ? 'opens the ports' : pid && `pid ${pid}`}</span>
      </th>
      <Cell column="State">
        {isFirst || figures.up[name] === 1 ? (
          <StateMark state="ok" word="answers" />
        ) : (
          <StateMark state="failed" word="no answer" />
        )}
      </Cell>
      <Cell column="Devices" isNumber>
        {known(figures.connections[name], whole)}
      </Cell>
      <Cell column="Lines/s" isNumber>
        {perSecond(rate(name, 'linesReceived'))}
      </Cell>
      <Cell column="Stored/s" isNumber>
        {perSecond(rate(name, 'recordsConfirmed'))}
      </Cell>
      <Cell column="Unconfirmed" isNumber>
        {known(figures.kafkaBufferBytes[name], bytes)}
      </Cell>
      <Cell column="CPU" isNumber>
        {cpu === null ? UNKNOWN : percent(cpu)}
      </Cell>
      <Cell column="Memory" isNumber>
        {known(figures.residentBytes[name], bytes)}
      </Cell>
      <Cell column="Loop p99" isNumber>
        {known(figures.eventLoopLagP99Seconds[name], latency)}
      </Cell>
      {onView !== undefined && (
        <td>
          {!isFirst && (
            <button type="button" class="quiet small" onClick={() => onView(isChosen ? null : Number(name))}>
              {isChosen ? 'View all' : `View process ${name}`}
            </button>
          )}
        </td>
      )}
    </tr>
  );
}
