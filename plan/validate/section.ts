// The section of docs/scaling.md with the measured runs, the model and the simulation. It is made of docs/scaling.json and the
// constants, and measures nothing.
import { textTable } from '../../scripts/docs/markdown.ts';
import { type Constants, readConstants } from '../constants.ts';
import { ALLOWED, compare, deviationOf, type Row } from './compare.ts';
import { type Results, readResults } from './results.ts';

export function validateSection(): string {
  const results = readResults();
  return [
    `Measured on ${results.at.slice(0, 10)}: ${results.machine}; ${results.versions}. A connection takes ${Math.round(results.client.plainUs)} us of CPU in the load generator, and ${Math.round(results.client.tlsUs)} us over TLS.`,
    '',
    comparisonTable(compare(readConstants(), results)),
  ].join('\n');
}

/** For the terminal and for the page. */
export function comparisonTable(rows: readonly Row[]): string {
  return textTable(
    ['connections', 'devices', 'what', 'model', 'simulation', 'measured', 'deviation'],
    rows.map((row) => [
      row.connections.toLocaleString('en'),
      row.tls ? 'TLS' : 'plain',
      row.quantity,
      valueText(row.model, row.unit),
      row.simulated === undefined ? '' : valueText(row.simulated, row.unit),
      valueText(row.measured, row.unit),
      deviationText(row),
    ]),
  );
}

export function comparison(
  results: Results,
  constants: Constants,
): { readonly text: string; readonly isWithin: boolean } {
  const rows = compare(constants, results);
  return { text: comparisonTable(rows), isWithin: rows.every((row) => deviationOf(row) <= ALLOWED) };
}

function deviationText(row: Row): string {
  const of = (value: number): string => {
    const percent = Math.round((value / row.measured - 1) * 100);
    return `${percent > 0 ? '+' : ''}${percent} %`;
  };
  const { model, simulated } = row;
  const text = simulated === undefined ? of(model) : `${of(model)}, ${of(simulated)}`;
  return deviationOf(row) <= ALLOWED ? text : `**${text}**`;
}

function valueText(value: number, unit: string): string {
  const digits = unit === 'MB' ? 0 : unit === 'cores' ? 3 : 2;
  return `${value.toFixed(digits)} ${unit}`;
}
