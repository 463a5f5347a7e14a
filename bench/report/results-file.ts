// What a call of the bench measured, as a file: `--json` writes it, `--compare` and `--from` read it, and
// docs/benchmarks.json is one.
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { machineText as hardwareText, thisMachine as thisHardware } from './circumstances.ts';
import { COLUMNS, type Figures, type Kind, type ScenarioResult } from './columns.ts';

/** What was asked for; two files with different ones say nothing about each other. */
const settingsSchema = z.object({
  seconds: z.number(),
  runs: z.number(),
  connections: z.number(),
  seq: z.boolean(),
  env: z.record(z.string(), z.string()),
});

const machineSchema = z.object({
  cpu: z.string(),
  cores: z.number(),
  memoryGiB: z.number(),
  platform: z.string(),
  node: z.string(),
});

const fileSchema = z.object({
  /** ISO 8601. */
  at: z.string(),
  version: z.string(),
  /** What Kafka it was, in words. */
  kafka: z.string(),
  machine: machineSchema,
  settings: settingsSchema,
  results: z.array(
    z.object({
      name: z.string(),
      about: z.string(),
      kind: z.enum(Object.keys(COLUMNS) as [Kind, ...Kind[]]),
      // Written by this very program; the columns read what they know of it.
      runs: z.array(z.looseObject({ kind: z.string() })),
      failures: z.array(z.string()),
    }),
  ),
});

export type BenchSettings = z.infer<typeof settingsSchema>;
export type Machine = z.infer<typeof machineSchema>;

export interface BenchFile extends Omit<z.infer<typeof fileSchema>, 'results'> {
  readonly results: readonly ScenarioResult[];
}

export class BenchFileError extends Error {}

/** Names of scenarios in older files, and their present names. */
const RENAMED: Readonly<Record<string, string>> = { 'old-way': 'one-at-a-time' };

/** @throws BenchFileError where it is not what this bench wrote */
export function parseBenchFile(text: string, name: string): BenchFile {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new BenchFileError(`${name} is no JSON`);
  }
  const { success, data, error } = fileSchema.safeParse(json);
  if (!success) throw new BenchFileError(`${name} was not written by this bench: ${z.prettifyError(error)}`);
  const results = data.results.map((result) => ({
    ...result,
    name: RENAMED[result.name] ?? result.name,
    runs: result.runs as unknown as Figures[],
  }));
  return { ...data, results };
}

/** @throws BenchFileError where there is no such file, or it is something else */
export async function readBenchFile(name: string): Promise<BenchFile> {
  let text: string;
  try {
    text = await readFile(name, 'utf8');
  } catch (error) {
    throw new BenchFileError(`${name} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
  return parseBenchFile(text, name);
}

export async function writeBenchFile(name: string | URL, file: BenchFile): Promise<void> {
  await writeFile(name, `${JSON.stringify(file, null, 2)}\n`);
}

/**
 * The scenarios of `now` in place of the same ones of `before`.
 * @throws BenchFileError where the two were measured in different ways or on different machines
 */
export function mergeFiles(before: BenchFile, now: BenchFile): BenchFile {
  const how = ({ settings, machine, kafka, version }: BenchFile) =>
    JSON.stringify([settings, machineText(machine), kafka, version]);
  if (how(before) !== how(now))
    throw new BenchFileError(`not to be put together: ${how(before)} and ${how(now)}`);
  const results = before.results.map((old) => now.results.find(({ name }) => name === old.name) ?? old);
  return { ...before, results };
}

export function thisMachine(): Machine {
  return { ...thisHardware(), node: process.version };
}

export function machineText(machine: Machine): string {
  return `${hardwareText(machine)}, Node ${machine.node}`;
}
