// `sluice stats`: all figures by their names in /stats, a line for each.

import { printable } from '../../config/printable.ts';
import { countOf, type HistogramValue, quantileOf } from '../../measure/histogram.ts';
import { jsonText } from '../json-text.ts';
import { say } from '../output.ts';
import type { AdminClient } from './client.ts';
import { histogramIn } from './fields.ts';
import { withGateway } from './open-client.ts';
import type { StatsWish } from './options.ts';
import { widthOf } from './printing.ts';

export function runStats(wish: StatsWish): Promise<number> {
  return withGateway(wish, (client) => stats(client, wish));
}

async function stats(client: AdminClient, { groups, json }: StatsWish): Promise<number> {
  const { body } = await client.get('/stats');
  if (json) {
    process.stdout.write(`${jsonText(body, 2)}\n`);
    return 0;
  }
  const all = figuresIn(body);
  const chosen = all.filter(
    ([name]) => groups.length === 0 || groups.some((group) => name.startsWith(group)),
  );
  if (chosen.length === 0) {
    const known = [...new Set(all.map(([name]) => name.split('.')[0]))];
    say(`no figure has such a name; they begin with ${known.join(', ')}`);
    return 1;
  }
  const width = widthOf(chosen.map(([name]) => name));
  process.stdout.write(chosen.map(([name, value]) => `${name.padEnd(width)}  ${value}\n`).join(''));
  return 0;
}

type Figure = readonly [name: string, value: string];

/** Names like `records.inFlight`. Lists of objects, such as the topics, have the place in the list in their names. */
function figuresIn(value: unknown, name = ''): Figure[] {
  const histogram = histogramIn(value);
  if (histogram !== undefined) return [[printable(name), histogramText(histogram)]];
  if (typeof value !== 'object' || value === null)
    return [[printable(name), typeof value === 'string' ? printable(value) : `${value}`]];
  const entries = Object.entries(value);
  if (entries.length === 0) return [[printable(name), 'none']];
  return entries.flatMap(([key, one]) => figuresIn(one, name === '' ? key : `${name}.${key}`));
}

function histogramText(value: HistogramValue): string {
  const count = countOf(value);
  if (count === 0) return 'none';
  const [p50, p99] = [0.5, 0.99].map((share) => Number((quantileOf(value, share) ?? 0).toPrecision(3)));
  return `${count} values, p50 ${p50}, p99 ${p99}`;
}
