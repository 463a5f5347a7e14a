// The connections: search, order, pages, the open ones and those that were closed last. The gateway does the search, so the
// page holds one page of rows, however many devices there are.
import { useState } from 'preact/hooks';
import type { ConnectionPage, ConnectionShape, SnapshotShape } from '../api/shapes.ts';
import { whole } from '../format/numbers.ts';
import { type ConnectionSort, ConnectionsTable } from '../parts/connections-table.tsx';
import { KickDialog } from '../parts/kick-dialog.tsx';
import { Section } from '../parts/section.tsx';
import { useDelayed } from '../state/use-delayed.ts';
import { usePolled } from '../state/use-polled.ts';

interface ConnectionsProps {
  readonly figures: SnapshotShape;
  readonly process: number | null;
  readonly mayChange: boolean;
}

const PAGE_SIZE = 25;
const POLL_MS = 3_000;
const FIRST_SORTS: Readonly<Record<'open' | 'closed', ConnectionSort>> = {
  open: { column: 'rate', order: 'desc' },
  closed: { column: 'closed', order: 'desc' },
};
/** From the last key until the gateway is asked. */
const TYPING_MS = 250;

export function ConnectionsSection({ figures, process, mayChange }: ConnectionsProps) {
  const [search, setSearch] = useState('');
  const [state, setState] = useState<'open' | 'closed'>('open');
  const [sorts, setSorts] = useState(FIRST_SORTS);
  const sort = sorts[state];
  /** The cursors of the pages up to this one. */
  const [cursors, setCursors] = useState<readonly string[]>([]);
  const [isInTable, setInTable] = useState(false);
  const [kicked, setKicked] = useState<ConnectionShape | null>(null);
  const wanted = useDelayed(search.trim(), TYPING_MS);
  const query = new URLSearchParams({
    state,
    sort: sort.column,
    order: sort.order,
    limit: String(PAGE_SIZE),
    ...(wanted && { search: wanted }),
    ...(cursors.length > 0 && { after: cursors.at(-1) ?? '' }),
    ...(process !== null && { process: String(process) }),
  });
  // Rows that move under the hand or the focus are kicked by mistake.
  const wantedPath = `/connections?${query}`;
  const { value, problem, path } = usePolled<ConnectionPage>(
    wantedPath,
    POLL_MS,
    isInTable || kicked !== null,
  );
  const fromStart =
    <A,>(change: (to: A) => void) =>
    (to: A) => {
      setCursors([]);
      change(to);
    };
  const closeDialog = () => {
    setKicked(null);
    // Its button has the focus again, but its row should go.
    setInTable(false);
  };
  const isOld = path !== wantedPath;
  // The cursor of another search or order would lead to a page of neither.
  const next = isOld ? null : (value?.next ?? null);
  return (
    <Section
      id="connections"
      title="Connections"
      note={`${whole(figures.connections.active)} open${isInTable ? ', not refreshed while you are in the table' : ''}`}
    >
      <div class="card" aria-busy={isOld}>
        <div class="toolbar">
          <label class="search">
            <span class="hidden">Search connections</span>
            <input
              type="search"
              placeholder="Device, address, zipcode, city"
              value={search}
              onInput={({ currentTarget }) => fromStart(setSearch)(currentTarget.value)}
            />
          </label>
          <fieldset class="choice">
            <legend class="hidden">Which connections</legend>
            {(['open', 'closed'] as const).map((one) => (
              <label key={one}>
                <input
                  type="radio"
                  name="state"
                  checked={state === one}
                  onChange={() => fromStart(setState)(one)}
                />
                {one === 'open' ? 'Open' : 'Recently closed'}
              </label>
            ))}
          </fieldset>
        </div>
        <ConnectionsTable
          page={value}
          state={state}
          sort={sort}
          onSort={fromStart((to) => setSorts({ ...sorts, [state]: to }))}
          onKick={mayChange ? setKicked : undefined}
          onInside={setInTable}
        />
        <div class="pager">
          <span class="note">
            {problem ?? `Page ${cursors.length + 1}, ${whole(value?.matching ?? 0)} found`}
            {value !== null &&
              value.missing.length > 0 &&
              `; no answer from process ${value.missing.join(', ')}`}
          </span>
          <button
            type="button"
            class="quiet"
            disabled={cursors.length === 0}
            onClick={() => setCursors(cursors.slice(0, -1))}
          >
            Previous
          </button>
          <button
            type="button"
            class="quiet"
            disabled={next === null}
            onClick={() => next !== null && setCursors([...cursors, next])}
          >
            Next
          </button>
        </div>
      </div>
      {kicked !== null && <KickDialog connection={kicked} onClose={closeDialog} />}
    </Section>
  );
}
