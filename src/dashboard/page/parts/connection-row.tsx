// One connection as a row of the table, open or closed. The names that a device gives itself are shown as text, and cut by the styles.
import type { ConnectionShape } from '../api/shapes.ts';
import { bytes, perSecond, UNKNOWN, whole } from '../format/numbers.ts';
import { visible } from '../format/texts.ts';
import { age, timeOfDay } from '../format/times.ts';
import { Cell } from './cell.tsx';

interface RowProps {
  readonly connection: ConnectionShape;
  readonly onKick: ((connection: ConnectionShape) => void) | undefined;
}

export function OpenRow({ connection, onKick }: RowProps) {
  const { paused, stage, last_code } = connection;
  const state = (paused.length > 0 ? paused.map(wordsOf) : [stage]).join(', ');
  return (
    <tr>
      <Identity connection={connection} />
      <Cell column="State" class="cut" title={last_code ? `${state}, last code ${last_code}` : state}>
        {state}
        {last_code && <code class="unit"> {last_code}</code>}
      </Cell>
      {onKick !== undefined && (
        <td class="action">
          <button type="button" class="quiet small" onClick={() => onKick(connection)}>
            Kick<span class="hidden"> {nameOf(connection)}</span>
          </button>
        </td>
      )}
    </tr>
  );
}

export function ClosedRow({ connection }: RowProps) {
  return (
    <tr>
      <Identity connection={connection} />
      <Cell column="Closed" class="cut">
        {timeOfDay(connection.closed_at)} <code>{connection.reason}</code>
      </Cell>
    </tr>
  );
}

function Identity({ connection }: Pick<RowProps, 'connection'>) {
  const { address, zipcode, city, process, tls } = connection;
  const place = visible(zipcode === null && city !== null ? city : `${zipcode ?? UNKNOWN} ${city ?? ''}`);
  return (
    <>
      <th scope="row" class="cut" title={nameOf(connection)}>
        {nameOf(connection)}
      </th>
      <Cell column="Address" class="cut" title={address}>
        {address}
        {tls ? <span class="unit"> TLS</span> : null}
      </Cell>
      <Cell column="Place" class="cut" title={place}>
        {place}
      </Cell>
      <Cell column="Process" isNumber>
        {process}
      </Cell>
      <Cell column="Bytes/s" isNumber>
        {bytes(connection.bytes_per_second)}
      </Cell>
      <Cell column="Lines" isNumber title={`${perSecond(connection.lines_per_second)} a second`}>
        {whole(connection.lines)}
      </Cell>
      <Cell column="Bytes" isNumber>
        {bytes(connection.bytes)}
      </Cell>
      <Cell column="Refused" isNumber>
        {whole(connection.refused)}
      </Cell>
      <Cell column="Age" isNumber>
        {age(connection.age_ms / 1000)}
      </Cell>
    </>
  );
}

export function nameOf({ device_id, connection_id }: ConnectionShape): string {
  return device_id ?? connection_id;
}

const wordsOf = (pause: string) => `paused: ${pause.replaceAll('_', ' ')}`;
