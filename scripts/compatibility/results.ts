// The results of `npm run compatibility`, in docs/compatibility.json, from which docs/compatibility.md is generated.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';

const outcomeSchema = z.object({
  passed: z.number(),
  failed: z.number(),
  skipped: z.number(),
  seconds: z.number(),
  isGood: z.boolean(),
});

const versionSchema = z.object({
  /** Day of the run. */
  at: z.iso.date(),
  node: z.string(),
  hasZooKeeper: z.boolean(),
  /** It has a number of replicas for topics that are created without one. */
  hasDefaultReplicas: z.boolean(),
  /** By name. A job that this version does not have is missing. */
  jobs: z.record(z.string(), outcomeSchema),
  /** The version of each request that Sluice chooses with this broker; null if there is none in common. */
  requests: z.record(z.string(), z.number().nullable()),
});

/** By version of Kafka. */
const fileSchema = z.record(z.string(), versionSchema);

export type Outcome = z.infer<typeof outcomeSchema>;
export type VersionResult = z.infer<typeof versionSchema>;
export type Results = z.infer<typeof fileSchema>;

const FILE = fileURLToPath(new URL('../../../docs/compatibility.json', import.meta.url));

/** @throws Error if the file was not written by this program */
export function readResults(): Results {
  return fileSchema.parse(JSON.parse(readFileSync(FILE, 'utf8')));
}

/** Versions, and jobs of a version, that were not run keep their results. @param jobs the names of all, in order */
export function mergeResults(results: Results, jobs: readonly string[]): void {
  const all = readResults();
  for (const [name, result] of Object.entries(results)) {
    const merged = { ...all[name]?.jobs, ...result.jobs };
    const inOrder = jobs.flatMap((job) => (merged[job] === undefined ? [] : [[job, merged[job]] as const]));
    all[name] = { ...result, jobs: Object.fromEntries(inOrder) };
  }
  writeFileSync(FILE, `${JSON.stringify(all, null, 2)}\n`);
}
