// docs/scaling.json: the measured runs that model and simulation are held against. `npm run plan -- validate` writes it, and
// the page is generated from it.
import { readFileSync, writeFileSync } from 'node:fs';
import { z } from 'zod';

const stormSchema = z.strictObject({
  /** From the first connect until 99 % of the devices had heard `identified`, and until all had. */
  seconds: z.number(),
  allSeconds: z.number(),
  /** Attempts that failed, by their reason. */
  failures: z.record(z.string(), z.number()),
  serverCpuSeconds: z.number(),
  firstCpuSeconds: z.number(),
  clientCpuSeconds: z.number(),
});
export type MeasuredStorm = z.infer<typeof stormSchema>;

const runSchema = z.strictObject({
  connections: z.number(),
  tls: z.boolean(),
  /** TCP_PROCESSES. */
  processes: z.number(),
  storms: z.array(stormSchema).min(1),
  steady: z.strictObject({
    /** Messages a second. */
    perSecond: z.number(),
    /** CPU seconds a second: of the server processes, and of the first process. */
    serverCores: z.number(),
    firstCores: z.number(),
  }),
  /** Resident memory of all processes of the gateway. */
  memoryBytes: z.number(),
});
export type Run = z.infer<typeof runSchema>;

const fileSchema = z.strictObject({
  /** ISO 8601. */
  at: z.string(),
  machine: z.string(),
  cores: z.number(),
  versions: z.string(),
  /** CPU of the load generator for a connection, microseconds. */
  client: z.strictObject({ plainUs: z.number(), tlsUs: z.number() }),
  runs: z.array(runSchema),
});
export type Results = z.infer<typeof fileSchema>;

/** From dist/plan/validate. */
const RESULTS_FILE = new URL('../../../docs/scaling.json', import.meta.url);

/** The file is missing, or is not what this version reads. */
export class ResultsError extends Error {
  readonly code = 'PLAN_RESULTS';
}

/** @throws ResultsError with the way to mend it */
export function readResults(url: URL = RESULTS_FILE): Results {
  const remedy = 'run: npm run plan -- validate';
  try {
    return fileSchema.parse(JSON.parse(readFileSync(url, 'utf8')));
  } catch (cause) {
    throw new ResultsError(`docs/scaling.json cannot be read; ${remedy}`, { cause });
  }
}

export function writeResults(results: Results, url: URL = RESULTS_FILE): void {
  writeFileSync(url, `${JSON.stringify(results, undefined, 2)}\n`);
}
