// One figure of the flow: its name, its value with the unit, and the lesser figures that belong to it.
import type { ComponentChildren } from 'preact';

interface TileProps {
  readonly label: string;
  readonly value: string;
  readonly unit?: string;
  readonly href: string;
  readonly children?: ComponentChildren;
}

export function Tile({ label, value, unit, href, children }: TileProps) {
  return (
    <li class="tile">
      <a class="tile-label" href={href}>
        {label}
      </a>
      <span class="tile-value">
        {value}
        {unit !== undefined && <span class="unit"> {unit}</span>}
      </span>
      <span class="tile-more">{children}</span>
    </li>
  );
}
