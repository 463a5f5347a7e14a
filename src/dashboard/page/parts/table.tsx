// A table of a section: the head with its columns, and the rows. On a phone the rows become blocks (cell.tsx).
import type { ComponentChildren } from 'preact';

interface TableProps {
  /** Each label, and the class of its column. */
  readonly columns: readonly (readonly [label: string, style?: string])[];
  readonly class?: string;
  readonly children: ComponentChildren;
}

export function Table({ columns, class: own = '', children }: TableProps) {
  return (
    <table class={`rows stacks ${own}`}>
      <thead>
        <tr>
          {columns.map(([label, style]) => (
            <th scope="col" key={label} class={style}>
              {label}
            </th>
          ))}
        </tr>
      </thead>
      <tbody>{children}</tbody>
    </table>
  );
}
