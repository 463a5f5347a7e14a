// The table of the scenarios of `npm run bench`. A new scenario is a new entry.
import type { Figures, Kind } from '../report/columns.ts';
import type { BenchOptions } from '../servers/loaded-gateways.ts';
import { measureDrain } from './drain.ts';
import { type LoadShape, measure } from './measure.ts';
import { measureMemory } from './memory.ts';
import { measurePair } from './pair.ts';
import { PAIRS } from './pairs.ts';
import { measureSpool } from './spool.ts';
import { measureStorm } from './storm.ts';
import { measureTls } from './tls.ts';

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly kind: Kind;
  run(options: BenchOptions): Promise<Figures>;
}

export const SCENARIOS: readonly Scenario[] = [
  load('batch', '50 lines a write, at full speed', { linesPerWrite: 50 }),
  load('single', '1 line a write, at full speed', { linesPerWrite: 1 }),
  load('steady', '20,000 messages a second, 1 line a write, to the consumer', {
    linesPerWrite: 1,
    perSecond: 20_000,
  }),
  load('latency', '2,000 messages a second, to the consumer', { linesPerWrite: 1, perSecond: 2_000 }),
  ...PAIRS.map(
    ({ name, about, shape, times = 1, turns }): Scenario => ({
      name,
      about,
      kind: 'pair',
      run: (options) => measurePair({ ...options, seconds: times * options.seconds }, shape, turns),
    }),
  ),
  {
    name: 'memory',
    about: '10,000 connections, idle and after one line each; takes about a minute',
    kind: 'memory',
    run: measureMemory,
  },
  {
    name: 'spool',
    about: 'like batch, all confirmed, with and without Kafka in turn; then the latency of `stored`',
    kind: 'spool',
    run: measureSpool,
  },
  {
    name: 'drain',
    about: 'drains a spool that was filled at full speed, while 10,000 messages a second arrive',
    kind: 'drain',
    run: (options) => measureDrain(options, {}),
  },
  {
    name: 'drain-slow',
    about: 'the same for a spool filled at 10,000 messages a second, with smaller batches',
    kind: 'drain',
    run: (options) => measureDrain(options, { fillPerSecond: 10_000 }),
  },
  {
    name: 'storm',
    about: '10,000 devices connect at once, beside 12,000 small writes a second, two processes',
    kind: 'storm',
    run: measureStorm,
  },
  {
    name: 'tls',
    about: 'TLS beside a bare Node server, HAProxy and plain devices; takes about two minutes',
    kind: 'tls',
    run: measureTls,
  },
];

function load(name: string, about: string, shape: LoadShape): Scenario {
  return { name, about, kind: 'load', run: (options) => measure(options, shape) };
}
