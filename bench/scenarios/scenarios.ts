// The table of the scenarios of `npm run bench`. A new scenario is a new entry.
import type { Figures, Kind } from '../report/columns.ts';
import type { BenchOptions } from '../servers/loaded-gateways.ts';
import { measureDrain } from './drain.ts';
import { measureIdle } from './idle.ts';
import { type LoadShape, measure } from './measure.ts';
import { measureMemory } from './memory.ts';
import { measurePair } from './pair.ts';
import { PAIRS } from './pairs.ts';
import { measureSpool } from './spool.ts';
import { measureAfterStart, measureStart } from './start.ts';
import { measureStorm } from './storm.ts';
import { lacksForStormMany, measureStormMany } from './storm-many.ts';
import { measureTls } from './tls.ts';

export interface Scenario {
  readonly name: string;
  readonly about: string;
  readonly kind: Kind;
  /** Why this machine cannot measure it. Absent: it always can. */
  lacks?(options: Pick<BenchOptions, 'devices'>): string | undefined;
  run(options: BenchOptions): Promise<Figures>;
}

const TWO = { TCP_PROCESSES: '2' } as const;

export const SCENARIOS: readonly Scenario[] = [
  load('batch', '50 lines a write, at full speed', { linesPerWrite: 50 }),
  load('single', '1 line a write, at full speed', { linesPerWrite: 1 }),
  load('steady', '20,000 messages a second, 1 line a write, to the consumer', {
    linesPerWrite: 1,
    perSecond: 20_000,
  }),
  load('latency', '2,000 messages a second, to the consumer', { linesPerWrite: 1, perSecond: 2_000 }),
  load('steady-two', 'like steady with two processes, the default on two cores', {
    linesPerWrite: 1,
    perSecond: 20_000,
    settings: TWO,
  }),
  load('latency-two', 'like latency with two processes', {
    linesPerWrite: 1,
    perSecond: 2_000,
    settings: TWO,
  }),
  ...PAIRS.map(
    ({ name, about, shape, times = 1, turns, perSecond }): Scenario => ({
      name,
      about,
      kind: 'pair',
      run: (options) => {
        const seconds = times * options.seconds;
        return measurePair({ ...options, seconds, ...(perSecond && { perSecond }) }, shape, turns);
      },
    }),
  ),
  {
    name: 'memory',
    about: '10,000 connections, idle and after one line each; takes about a minute',
    kind: 'memory',
    run: measureMemory,
  },
  {
    name: 'idle',
    about:
      '10,000 connections that have identified and are silent, one process and two; takes about four minutes',
    kind: 'idle',
    run: measureIdle,
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
    name: 'storm-50k',
    about: '50,000 devices connect at once, three processes; then they send 8,000 messages a second',
    kind: 'storm-many',
    lacks: lacksForStormMany,
    run: measureStormMany,
  },
  {
    name: 'tls',
    about: 'TLS beside a bare Node server, HAProxy and plain devices; takes about two minutes',
    kind: 'tls',
    run: measureTls,
  },
  {
    name: 'start',
    about: 'from the start to the first accepted line, with the default of processes, beside an empty Node',
    kind: 'start',
    run: measureStart,
  },
  {
    name: 'after-start',
    about: 'memory of all processes 5 s after the start, beside as many empty Node processes',
    kind: 'after-start',
    run: measureAfterStart,
  },
];

function load(name: string, about: string, shape: LoadShape): Scenario {
  return { name, about, kind: 'load', run: (options) => measure(options, shape) };
}
