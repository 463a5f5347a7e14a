// The table of what `npm run bench` can measure. A new scenario is a new entry.
import { measureDrain } from './drain.ts';
import type { BenchOptions } from './gateway.ts';
import { type LoadShape, measure } from './measure.ts';
import type { Figures } from './report.ts';
import { measureSpool } from './spool.ts';

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** True where the cost a message says something about the work: at a low rate it is mostly wake-ups. */
  readonly judgedByMultiple: boolean;
  run(options: BenchOptions): Promise<Figures>;
}

export const SCENARIOS: readonly Scenario[] = [
  load('batch', '50 lines a write, as fast as taken', { linesPerWrite: 50 }),
  load('single', '1 line a write, as fast as taken', { linesPerWrite: 1 }),
  load('steady', '20,000 messages a second, 1 line a write, to the consumer', {
    linesPerWrite: 1,
    perSecond: 20_000,
  }),
  load('latency', '2,000 messages a second, to the consumer', { linesPerWrite: 1, perSecond: 2_000 }),
  {
    name: 'spool',
    about: 'as batch, all confirmed, with Kafka and without it in turn; then the latency of `stored`',
    judgedByMultiple: false,
    run: measureSpool,
  },
  {
    name: 'drain',
    about: 'a spool filled as fast as taken, to Kafka, while 10,000 messages a second arrive',
    judgedByMultiple: false,
    run: (options) => measureDrain(options, {}),
  },
  {
    name: 'drain-slow',
    about: 'the same of a spool filled at 10,000 messages a second, which is of smaller batches',
    judgedByMultiple: false,
    run: (options) => measureDrain(options, { fillPerSecond: 10_000 }),
  },
];

function load(name: string, about: string, shape: LoadShape): Scenario {
  return {
    name,
    about,
    judgedByMultiple: shape.perSecond === undefined,
    run: (options) => measure(options, shape),
  };
}
