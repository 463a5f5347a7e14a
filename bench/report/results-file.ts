// Reads and writes the results file of the bench: `--json` writes it, `--compare` and `--from` read it.
// docs/benchmarks.json is such a file.
import { execFileSync } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { z } from 'zod';
import { machineText as hardwareText, thisMachine as thisHardware } from './circumstances.ts';
import { COLUMNS, type Figures, type Kind, type ScenarioResult } from './columns.ts';

/** Files with different settings cannot be compared. */
const settingsSchema = z.object({
  seconds: z.number(),
  runs: z.number(),
  connections: z.number(),
  seq: z.boolean(),
  env: z.record(z.string(), z.string()),
});

export const machineSchema = z.object({
  cpu: z.string(),
  cores: z.number(),
  memoryGiB: z.number(),
  platform: z.string(),
  node: z.string(),
});

const resultsSchema = z.array(
  z.object({
    name: z.string(),
    about: z.string(),
    kind: z.enum(Object.keys(COLUMNS) as [Kind, ...Kind[]]),
    at: z.string().optional(),
    // Written by this program, so not checked further. The columns read the figures that they know.
    runs: z.array(z.looseObject({ kind: z.string() })),
    failures: z.array(z.string()),
  }),
);

const fileSchema = z.object({
  /** ISO 8601. */
  at: z.string(),
  version: z.string(),
  /** Version of Kafka, as text. */
  kafka: z.string(),
  machine: machineSchema,
  settings: settingsSchema,
  /** With the Node of `machine`. */
  results: resultsSchema,
  /** With other Nodes, which took turns with the first. */
  otherNodes: z.array(z.object({ node: z.string(), results: resultsSchema })).optional(),
});

export type Machine = z.infer<typeof machineSchema>;

export interface NodeResults {
  /** Version, such as `v24.1.0`. */
  readonly node: string;
  readonly results: readonly ScenarioResult[];
}

export interface BenchFile extends Omit<z.infer<typeof fileSchema>, 'results' | 'otherNodes'> {
  readonly results: readonly ScenarioResult[];
  readonly otherNodes?: readonly NodeResults[] | undefined;
}

export class BenchFileError extends Error {}

/** Names of scenarios in older files, and their present names. */
const RENAMED: Readonly<Record<string, string>> = { 'old-way': 'one-at-a-time' };

/**
 * Checks a file against its schema.
 * @param fault said of a file that does not fit
 * @throws BenchFileError if this bench did not write it
 */
export function parseWith<T>(
  schema: z.ZodType<T>,
  text: string,
  { name, fault }: { name: string; fault: string },
): T {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    throw new BenchFileError(`${name} is not JSON`);
  }
  const { success, data, error } = schema.safeParse(json);
  if (!success) throw new BenchFileError(`${name} ${fault}: ${z.prettifyError(error)}`);
  return data;
}

/** @throws BenchFileError if the file cannot be read */
export async function readText(name: string): Promise<string> {
  try {
    return await readFile(name, 'utf8');
  } catch (error) {
    throw new BenchFileError(`${name} cannot be read: ${error instanceof Error ? error.message : error}`);
  }
}

/** @throws BenchFileError if this bench did not write it */
export function parseBenchFile(text: string, name: string): BenchFile {
  const data = parseWith(fileSchema, text, { name, fault: 'was not written by this bench' });
  const { results, otherNodes, ...rest } = data;
  const others = otherNodes?.map(({ node, results }) => ({ node, results: named(results) }));
  return { ...rest, results: named(results), ...(others && { otherNodes: others }) };
}

function named(results: z.infer<typeof resultsSchema>): ScenarioResult[] {
  return results.map((result) => ({
    ...result,
    name: RENAMED[result.name] ?? result.name,
    runs: result.runs as unknown as Figures[],
  }));
}

/** @throws BenchFileError if the file is missing, or this bench did not write it */
export async function readBenchFile(name: string): Promise<BenchFile> {
  return parseBenchFile(await readText(name), name);
}

export async function writeBenchFile(name: string | URL, file: BenchFile): Promise<void> {
  await writeFile(name, `${JSON.stringify(file, null, 2)}\n`);
}

/**
 * Replaces scenarios of `before` by those of `now`, and adds new ones. The others keep their date.
 * @throws BenchFileError if the settings, machines or versions differ
 */
export function mergeFiles(before: BenchFile, now: BenchFile): BenchFile {
  const how = ({ settings, machine, kafka, version }: BenchFile) =>
    JSON.stringify([settings, machineText(machine), kafka, version]);
  if (how(before) !== how(now))
    throw new BenchFileError(`these files cannot be merged: ${how(before)} and ${how(now)}`);
  const { otherNodes: othersBefore = [] } = before;
  const { otherNodes: othersNow = [] } = now;
  const nodes = new Set([...othersBefore, ...othersNow].map(({ node }) => node));
  const resultsOf = (others: readonly NodeResults[], wanted: string) =>
    others.find(({ node }) => node === wanted)?.results ?? [];
  const dated = (results: readonly ScenarioResult[]) =>
    before.at === now.at ? results : results.map((result) => ({ at: before.at, ...result }));
  const otherNodes = [...nodes].map((node) => ({
    node,
    results: mergeResults(dated(resultsOf(othersBefore, node)), resultsOf(othersNow, node)),
  }));
  const results = mergeResults(dated(before.results), now.results);
  return { ...before, at: now.at, results, ...(otherNodes.length > 0 && { otherNodes }) };
}

function mergeResults(before: readonly ScenarioResult[], now: readonly ScenarioResult[]): ScenarioResult[] {
  const kept = before.map((old) => now.find(({ name }) => name === old.name) ?? old);
  return [...kept, ...now.filter(({ name }) => before.every((old) => old.name !== name))];
}

/** @param node path of another Node that runs the servers */
export function thisMachine(node?: string): Machine {
  const version =
    node === undefined ? process.version : execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
  return { ...thisHardware(), node: version };
}

export function machineText(machine: Machine): string {
  return `${hardwareText(machine)}, Node ${machine.node}`;
}
