// The report of a sustained run as text: a row for each part of its time, the judged figures, the verdict. No I/O.
import { markdownTable } from '../../scripts/docs/markdown.ts';
import { circumstancesText } from '../report/circumstances.ts';
import { table } from '../report/report.ts';
import { median } from '../statistics.ts';
import type { FlatnessLimits, Judgement } from './flatness.ts';
import type { SustainedResult } from './result.ts';
import type { Sample } from './sample.ts';

const BUCKETS = 10;
const HEAD = 'm:ss,RSS MiB,descriptors,sent/s,p99 confirmed ms,max,p99 consumer ms,max'.split(',');
const LEGEND = 'RSS and p99: the median of the samples; descriptors and max: the highest; sent/s: the mean.';

const whole = (value: number): string => Math.round(value).toLocaleString('en-US');
const clock = (seconds: number): string =>
  `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, '0')}`;
const tenth = (value: number | null): string => (value === null ? 'none' : value.toFixed(1));

/** Ends with a line end. */
export function resultText(result: SustainedResult): string {
  return `${[
    table(HEAD, bucketRows(result.samples)),
    LEGEND,
    '',
    ...judgedText(result, table),
    readBackText(result),
    verdictText(result),
  ].join('\n')}\n`;
}

/** The section of a page. */
export function sectionText(result: SustainedResult): string {
  const { plan } = result.load;
  const minutes = plan.durationMs / 60_000;
  return [
    '## Sustained load',
    `${whole(plan.rate)} messages/s from ${whole(plan.connections)} connections for ${Number(minutes.toFixed(2))} minutes, every message confirmed and read back. ${circumstancesText(result.circumstances)}`,
    '',
    markdownTable(HEAD, bucketRows(result.samples)),
    '',
    LEGEND,
    '',
    ...judgedText(result, markdownTable),
    '',
    readBackText(result),
    '',
    verdictText(result),
  ].join('\n');
}

/** One row for the warm-up, then up to ten for the rest. */
export function bucketRows(samples: readonly Sample[]): string[][] {
  const warmUp = samples.filter((sample) => sample.warmUp);
  const judged = samples.filter((sample) => !sample.warmUp);
  const count = Math.min(BUCKETS, judged.length);
  const cut = (number: number) => Math.round((judged.length * number) / count);
  const buckets = Array.from({ length: count }, (_, number) => judged.slice(cut(number), cut(number + 1)));
  let fromSeconds = 0;
  return (warmUp.length > 0 ? [warmUp, ...buckets] : buckets).map((bucket) => {
    const untilSeconds = bucket.at(-1)?.seconds ?? 0;
    const row = bucketRow(bucket, `${clock(fromSeconds)}-${clock(untilSeconds)}`);
    fromSeconds = untilSeconds;
    return row;
  });
}

function bucketRow(bucket: readonly Sample[], when: string): string[] {
  const highest = (values: readonly number[]) => Math.max(...values);
  const latency = (key: 'confirmedMs' | 'consumerMs') => {
    const summaries = bucket.flatMap((sample) => sample[key] ?? []);
    if (summaries.length === 0) return [bucket[0]?.warmUp ? 'warm-up' : 'none', ''];
    return [tenth(median(summaries.map(({ p99 }) => p99))), tenth(highest(summaries.map(({ max }) => max)))];
  };
  return [
    when,
    tenth(median(bucket.map(({ residentMiB }) => residentMiB))),
    String(highest(bucket.map(({ descriptors }) => descriptors))),
    whole(bucket.reduce((sum, { sentPerSecond }) => sum + sentPerSecond, 0) / bucket.length),
    ...latency('confirmedMs'),
    ...latency('consumerMs'),
  ];
}

function judgedText({ flatness, limits }: SustainedResult, draw: typeof table): string[] {
  if (flatness === undefined) return [];
  const head = ['median of', 'first third', 'last third', 'allowed', 'verdict'];
  return [draw(head, flatness.map(judgedRow)), '', ruleText(limits)];
}

function judgedRow({ what, first, last, lowest, highest, flat }: Judgement): string[] {
  const allowed = lowest > 0 ? `${whole(lowest)} to ${whole(highest)}` : `up to ${tenth(highest)}`;
  // The median of two descriptors may be a half.
  const shown = (value: number | null) =>
    what === 'descriptors' && value !== null ? String(value) : tenth(value);
  return [what, shown(first), shown(last), allowed, flat ? 'flat' : 'NOT FLAT'];
}

function ruleText({ rssPercent, rssMib, descriptors, p99Times, p99Ms }: FlatnessLimits): string {
  return `Flat: after the warm-up, the median of the last third of the samples differs from that of the first third by at most +${rssPercent} % + ${rssMib} MiB for RSS, by ${descriptors} for descriptors, and is at most ${p99Times} times + ${p99Ms} ms for p99.`;
}

function readBackText({ load, imbalances }: SustainedResult): string {
  const { readBack, counts } = load;
  if (readBack === undefined) return 'Nothing was read back.';
  const { delivered, lost, duplicated, reordered, corrupted } = readBack;
  const balance = imbalances.length === 0 ? "The gateway's balance and the topic's offsets agree." : '';
  return `${whole(counts.messages)} sent, ${whole(counts.confirmed)} confirmed, ${whole(delivered)} read back: ${whole(lost)} lost, ${whole(duplicated)} duplicated, ${whole(reordered)} reordered, ${whole(corrupted)} corrupted. ${balance}`.trimEnd();
}

const verdictText = ({ faults }: SustainedResult): string =>
  faults.length === 0
    ? 'OK: memory, descriptors and latency are flat, and nothing was lost, duplicated, reordered or corrupted.'
    : `FAILED: ${faults.join('; ')}.`;
