// The tables of simulated storms, for the terminal and for the page.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import { SCENARIO_NAMES, SCENARIOS } from './plays.ts';
import type { Played } from './results.ts';

/** A table for each way of losing connections. */
export function stormTables(plays: readonly Played[]): string {
  return SCENARIO_NAMES.flatMap((scenario) => {
    const rows = plays.filter((play) => play.scenario === scenario);
    return rows.length === 0 ? [] : [`${SCENARIOS[scenario]}\n\n${table(rows)}`];
  }).join('\n\n');
}

function table(plays: readonly Played[]): string {
  return markdownTable(
    [
      'rule',
      'half back',
      '99 % back',
      'all back',
      'attempts each',
      'most attempts/s',
      'most back/s',
      'CPU, times',
    ],
    plays.map((play) => [
      play.name,
      secondsText(play.p50Seconds),
      secondsText(play.p99Seconds),
      secondsText(play.allSeconds),
      play.attemptsEach.toFixed(2),
      highest(play.attemptsPerSecond),
      highest(play.backPerSecond),
      play.cpuTimes.toFixed(2),
    ]),
  );
}

const secondsText = (seconds: number | null): string =>
  seconds === null ? 'not in half an hour' : `${seconds < 10 ? seconds.toFixed(1) : Math.round(seconds)} s`;

const highest = (values: readonly number[]): string => Math.max(...values, 0).toLocaleString('en');
