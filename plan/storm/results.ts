// docs/storm.json: the figures of simulated storms. `npm run plan -- storm --report` writes it, and the page and its chart are
// made of it.
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';
import { type Play, SCENARIO_NAMES, type Scenario } from './plays.ts';

const playedSchema = z.strictObject({
  scenario: z.enum(SCENARIO_NAMES as [Scenario, ...Scenario[]]),
  name: z.string(),
  devices: z.number(),
  back: z.number(),
  /** Until so many were back; null = not within half an hour. */
  p50Seconds: z.number().nullable(),
  p99Seconds: z.number().nullable(),
  allSeconds: z.number().nullable(),
  attemptsEach: z.number(),
  failed: z.strictObject({ noReply: z.number(), serverFull: z.number(), handshake: z.number() }),
  /** CPU time of the gateways, relative to that of attempts without a failure. */
  cpuTimes: z.number(),
  attemptsPerSecond: z.array(z.number()),
  backPerSecond: z.array(z.number()),
});
export type Played = z.infer<typeof playedSchema>;

const fileSchema = z.strictObject({
  command: z.string(),
  fleet: z.strictObject({
    devices: z.number(),
    gateways: z.number(),
    processes: z.number(),
    cores: z.number(),
    tls: z.boolean(),
    rttMs: z.number(),
    seed: z.number(),
  }),
  /** The date of the constants. */
  constantsAt: z.string(),
  plays: z.array(playedSchema),
});
export type StormFile = z.infer<typeof fileSchema>;

/** From dist/plan/storm. */
export const STORM_FILE = new URL('../../../docs/storm.json', import.meta.url);
export const CHART_FILE = new URL('../../../docs/images/storm.svg', import.meta.url);

/** The file is missing, or is not what this version reads. */
export class StormFileError extends Error {
  readonly code = 'PLAN_STORM';
}

/** Seconds of the series that are kept for the chart. */
const KEPT_SECONDS = 240;

export function played(play: Play): Played {
  const result = play.run();
  const { seconds, attempts, devices, back, failed, cpuSeconds, neededCpuSeconds } = result;
  const orNull = (value: number): number | null => (Number.isFinite(value) ? value : null);
  return {
    scenario: play.scenario,
    name: play.name,
    devices,
    back,
    failed,
    p50Seconds: orNull(seconds.p50),
    p99Seconds: orNull(seconds.p99),
    allSeconds: orNull(seconds.all),
    attemptsEach: Math.round((attempts / devices) * 100) / 100,
    cpuTimes: Math.round((cpuSeconds / neededCpuSeconds) * 100) / 100,
    attemptsPerSecond: result.attemptsPerSecond.slice(0, KEPT_SECONDS),
    backPerSecond: result.backPerSecond.slice(0, KEPT_SECONDS),
  };
}

/** @throws StormFileError with the way to mend it */
export function readStormFile(url: URL = STORM_FILE): StormFile {
  try {
    return fileSchema.parse(JSON.parse(readFileSync(url, 'utf8')));
  } catch (cause) {
    throw new StormFileError('docs/storm.json cannot be read; run: npm run plan -- storm --report', {
      cause,
    });
  }
}

export function writeStormFile(file: StormFile, url: URL = STORM_FILE): void {
  const text = JSON.stringify(file, undefined, 2);
  // Series in one line each: a thousand lines of numbers help nobody who reads a diff.
  writeFileSync(url, `${text.replace(/\[[\d,\s.]+\]/g, (list) => list.replace(/\s+/g, ''))}\n`);
}
