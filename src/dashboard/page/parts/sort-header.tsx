// The head of a column by which a table can be sorted: a button, and the order for people who do not see the arrow.

export type Order = 'asc' | 'desc';

interface SortHeaderProps<K extends string> {
  readonly column: K;
  readonly label: string;
  readonly sort: { readonly column: K; readonly order: Order };
  readonly class?: string;
  readonly onSort: (sort: { column: K; order: Order }) => void;
}

/** The first click sorts the largest first. */
export function SortHeader<K extends string>({
  column,
  label,
  sort,
  class: own = 'number',
  onSort,
}: SortHeaderProps<K>) {
  const isSorted = sort.column === column;
  const next = isSorted && sort.order === 'desc' ? 'asc' : 'desc';
  const ariaSort = isSorted ? (sort.order === 'desc' ? 'descending' : 'ascending') : 'none';
  return (
    <th scope="col" class={own} aria-sort={ariaSort}>
      <button type="button" class="sort" onClick={() => onSort({ column, order: next })}>
        {label}
        <span class="arrow" aria-hidden="true">
          {isSorted ? (sort.order === 'desc' ? '▼' : '▲') : ''}
        </span>
      </button>
    </th>
  );
}
