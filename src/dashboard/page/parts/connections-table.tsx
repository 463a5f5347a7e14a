// One page of connections as a table. Its columns keep their widths whatever devices call themselves.
import type { ConnectionPage, ConnectionShape, SortKey } from '../api/shapes.ts';
import { ClosedRow, OpenRow } from './connection-row.tsx';
import { type Order, SortHeader } from './sort-header.tsx';

export interface ConnectionSort {
  readonly column: SortKey;
  readonly order: Order;
}

interface TableProps {
  /** Null before the first answer. */
  readonly page: ConnectionPage | null;
  readonly state: 'open' | 'closed';
  readonly sort: ConnectionSort;
  readonly onSort: (sort: ConnectionSort) => void;
  /** Undefined if the viewer may change nothing. */
  readonly onKick: ((connection: ConnectionShape) => void) | undefined;
  /** The focus or the pointer is on the rows, or has left them. */
  readonly onInside: (isInside: boolean) => void;
}

const SORTED: readonly (readonly [SortKey, string])[] = [
  ['rate', 'Bytes/s'],
  ['lines', 'Lines'],
  ['bytes', 'Bytes'],
  ['errors', 'Refused'],
  ['age', 'Age'],
];

export function ConnectionsTable({ page, state, sort, onSort, onKick, onInside }: TableProps) {
  const rows = page?.connections ?? [];
  const Row = state === 'open' ? OpenRow : ClosedRow;
  return (
    <div class="scroll">
      <table class="rows stacks connections">
        <caption class="hidden">
          {state === 'open' ? 'Open connections' : 'Recently closed connections'}
        </caption>
        <thead>
          <tr>
            <th scope="col" class="wide">
              Device
            </th>
            <th scope="col" class="middle">
              Address
            </th>
            <th scope="col">Place</th>
            <th scope="col" class="narrow number">
              Process
            </th>
            {SORTED.map(([column, label]) => (
              <SortHeader
                key={column}
                column={column}
                label={label}
                sort={sort}
                onSort={onSort}
                class={column === 'age' ? 'number age' : 'number'}
              />
            ))}
            {state === 'open' ? (
              <th scope="col" class="middle">
                State
              </th>
            ) : (
              <SortHeader column="closed" label="Closed" sort={sort} onSort={onSort} class="middle" />
            )}
            {onKick !== undefined && state === 'open' && (
              <th scope="col" class="narrow">
                <span class="hidden">Kick</span>
              </th>
            )}
          </tr>
        </thead>
        <tbody onFocusIn={() => onInside(true)} onFocusOut={() => onInside(false)}>
          {rows.map((one) => (
            // Without a key, so that the elements of a row serve the next connection in this place.
            <Row connection={one} onKick={onKick} />
          ))}
        </tbody>
      </table>
      {page !== null && rows.length === 0 && <p class="empty">No connection found.</p>}
    </div>
  );
}
