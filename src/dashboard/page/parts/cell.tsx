// A cell of a table that also knows the name of its column: on a phone, rows are blocks of names and values.
import type { ComponentChildren } from 'preact';

interface CellProps {
  readonly column: string;
  /** Right-aligned. */
  readonly isNumber?: boolean;
  readonly class?: string;
  /** The whole text, if styles may cut it. */
  readonly title?: string;
  readonly children?: ComponentChildren;
}

export function Cell({ column, isNumber = false, class: own = '', title, children }: CellProps) {
  return (
    <td data-column={column} class={`${isNumber ? 'number ' : ''}${own}`} {...(title && { title })}>
      {children}
    </td>
  );
}
