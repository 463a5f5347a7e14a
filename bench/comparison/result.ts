// The result of a comparison, and its file: docs/comparison.json is such a file.
import { writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { machineSchema, parseWith, readText } from '../report/results-file.ts';
import { median } from '../statistics.ts';

const memorySchema = z.object({ residentMiB: z.number(), sharedOnceMiB: z.number() });

/** One turn of a contestant in a scenario. */
const turnSchema = z.object({
  messages: z.number(),
  perSecond: z.number(),
  /** CPU microseconds a message of all its processes, user and system time. */
  cpuUs: z.number(),
  /** With a rate: milliseconds from the due time of a line to its arrival at a consumer. */
  p50Ms: z.number().optional(),
  p99Ms: z.number().optional(),
});

const contestantSchema = z.object({
  name: z.string(),
  about: z.string(),
  /** Of the program, such as `8.2302.0`. */
  version: z.string(),
  afterStart: memorySchema,
  afterLoad: memorySchema,
  /** All messages, those before the first turn included. */
  sent: z.number(),
  /** Messages that are not in the topic, and those that are in it once too often. At full speed only their difference is known. */
  lost: z.number(),
  duplicated: z.number(),
  /** Its turns, by scenario. */
  turns: z.record(z.string(), z.array(turnSchema)),
});

const fileSchema = z.object({
  /** ISO 8601. */
  at: z.string(),
  /** Of Sluice. */
  version: z.string(),
  kafka: z.string(),
  machine: machineSchema,
  settings: z.object({
    seconds: z.number(),
    turns: z.number(),
    connections: z.number(),
    /** At 20,000 messages a second, before the first turn of each. */
    warmUpSeconds: z.number(),
  }),
  contestants: z.array(contestantSchema),
});

export type Turn = z.infer<typeof turnSchema>;
export type ContestantResult = z.infer<typeof contestantSchema>;
export type ComparisonFile = z.infer<typeof fileSchema>;

/** @throws BenchFileError if this bench did not write it */
export function parseComparison(text: string, name: string): ComparisonFile {
  return parseWith(fileSchema, text, { name, fault: 'is no comparison of this bench' });
}

/** @throws BenchFileError if the file is missing, or this bench did not write it */
export async function readComparison(name: string): Promise<ComparisonFile> {
  return parseComparison(await readText(name), name);
}

export async function writeComparison(name: string | URL, file: ComparisonFile): Promise<void> {
  await writeFile(name, `${JSON.stringify(file, null, 1)}\n`);
}

/** The medians of a scenario's turns; undefined if the contestant had none. */
export function mediansOf(turns: readonly Turn[] | undefined): Turn | undefined {
  if (turns === undefined || turns.length === 0) return undefined;
  const of = (value: (turn: Turn) => number | undefined) =>
    median(turns.map(value).filter((one) => one !== undefined));
  const [first] = turns;
  return {
    messages: of(({ messages }) => messages),
    perSecond: of(({ perSecond }) => perSecond),
    cpuUs: of(({ cpuUs }) => cpuUs),
    ...(first?.p50Ms !== undefined && { p50Ms: of(({ p50Ms }) => p50Ms), p99Ms: of(({ p99Ms }) => p99Ms) }),
  };
}
