// The table of what `npm run bench` can measure. A new scenario is a new entry.
import { type BenchOptions, type LoadShape, type Measurement, measure } from './measure.ts';

export interface Scenario {
  readonly name: string;
  readonly about: string;
  /** True where the cost a message says something about the work: at a low rate it is mostly wake-ups. */
  readonly judgedByMultiple: boolean;
  run(options: BenchOptions): Promise<Measurement>;
}

export const SCENARIOS: readonly Scenario[] = [
  load('batch', '50 lines a write, as fast as taken', { linesPerWrite: 50 }),
  load('single', '1 line a write, as fast as taken', { linesPerWrite: 1 }),
  load('latency', '2,000 messages a second, to the consumer', { linesPerWrite: 1, perSecond: 2_000 }),
];

function load(name: string, about: string, shape: LoadShape): Scenario {
  return {
    name,
    about,
    judgedByMultiple: shape.perSecond === undefined,
    run: (options) => measure(options, shape),
  };
}
