// A chart with its title, its newest values and the meaning of its lines.
import { type Column, type History, ratesOf, secondsOf } from '../figures/history.ts';
import { UNKNOWN } from '../format/numbers.ts';
import { type AxisKind, Chart } from './chart.tsx';

export interface ChartAbout {
  readonly title: string;
  readonly unit: string;
  /** The first one is drawn in the accent. */
  readonly lines: readonly {
    readonly column: Column;
    readonly label: string /** It is drawn as its rate. */;
    readonly isTotal?: true;
  }[];
  /** On the axis and beside the title. */
  readonly format: (value: number) => string;
  readonly minTop: number;
  readonly axis?: AxisKind;
}

export function ChartCard({ about, history }: { readonly about: ChartAbout; readonly history: History }) {
  const { title, unit, lines, format, minTop } = about;
  const columns = lines.map(({ column, isTotal }) => (isTotal ? ratesOf(history, column) : history[column]));
  const newest = columns.map((column) => {
    const value = column.at(-1) ?? null;
    return value === null ? UNKNOWN : format(value);
  });
  return (
    <div class="card chart-card">
      <h3>
        {title} <span class="unit">{unit}</span>
      </h3>
      <ul class="legend">
        {lines.map(({ label }, at) => (
          <li key={label}>
            <span class={at === 0 ? 'key key-main' : 'key key-second'} aria-hidden="true" />
            {label} <strong>{newest[at]}</strong>
          </li>
        ))}
      </ul>
      <Chart
        title={title}
        lines={lines.map(({ label }, at) => ({ label, isMain: at === 0 }))}
        at={secondsOf(history)}
        columns={columns}
        format={format}
        minTop={minTop}
        axis={about.axis ?? 'linear'}
        summary={lines.map(({ label }, at) => `${label} ${newest[at]}`).join(', ')}
      />
    </div>
  );
}
