// Runs end-to-end tests with each version of Kafka that can be started here (npm run compatibility [-- VERSION ...]).
// npm test runs them with the usual version only. Prints a table. With --job NAME it runs that job only. With --write it also puts the results into
// docs/compatibility.json and docs/compatibility.md. The exit code is 1 if a test failed or none ran.
import { parseArgs } from 'node:util';
import { compatibilitySection, jobsTable, PAGE } from '../docs/compatibility.ts';
import { writeSection } from '../docs/section.ts';
import { findVersion, KAFKA_VERSIONS, type KafkaVersion, USUAL } from '../kafka/version.ts';
import { JOBS, runJob } from './jobs.ts';
import { chosenRequests } from './requests.ts';
import { mergeResults, type Outcome, type Results, readResults, type VersionResult } from './results.ts';

process.exitCode = await main();

async function main(): Promise<number> {
  const given = options();
  if (given === undefined) return usage();
  const { values, positionals: names } = given;
  if (values.help) {
    usage();
    return 0;
  }
  const usual = KAFKA_VERSIONS.filter((version) => version !== USUAL);
  const versions = names.length === 0 ? usual : names.map(findVersion);
  const areJobs = values.job.every((wanted) => JOBS.some(({ name }) => name === wanted));
  if (!versions.every((version) => version !== undefined) || !areJobs || process.env.KAFKA_BROKERS)
    return usage();
  const results: Results = {};
  for (const version of versions) results[version.name] = await resultOf(version, values.job);
  console.log(`\n${jobsTable(results)}`);
  if (values.write) {
    mergeResults(
      results,
      JOBS.map(({ name }) => name),
    );
    await writeSection(PAGE, PAGE.section, compatibilitySection(readResults()));
  }
  const outcomes = Object.values(results).flatMap(({ jobs }) => Object.values(jobs));
  return outcomes.every(({ isGood }) => isGood) ? 0 : 1;
}

/** Undefined if they are wrong. */
function options() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        write: { type: 'boolean', default: false },
        job: { type: 'string', multiple: true, default: [] },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    console.error((error as Error).message);
    return undefined;
  }
}

/** @returns the exit code for wrong options */
function usage(): number {
  const known = KAFKA_VERSIONS.map(({ name }) => name).join('|');
  const jobs = JOBS.map(({ name }) => `"${name}"`).join(', ');
  console.error(`usage: npm run compatibility [-- [--write] [--job JOB] [${known}] ...]`);
  console.error(`Without a version it runs all but ${USUAL.name}, which npm test uses. The jobs: ${jobs}.`);
  console.error('--write puts the results into docs/compatibility.md.');
  console.error('It starts each Kafka itself, so KAFKA_BROKERS must not be set.');
  return 2;
}

/** @param wanted names of jobs; none = all */
async function resultOf(version: KafkaVersion, wanted: readonly string[]): Promise<VersionResult> {
  const jobs: Record<string, Outcome> = {};
  for (const job of JOBS) {
    if (!job.isFor(version) || (wanted.length > 0 && !wanted.includes(job.name))) continue;
    console.error(`\nKafka ${version.name}: ${job.name}`);
    jobs[job.name] = await runJob(job, version);
  }
  return {
    at: new Date().toISOString().slice(0, 10),
    node: process.versions.node,
    hasZooKeeper: version.needsZooKeeper,
    hasDefaultReplicas: version.replicas === -1,
    jobs,
    requests: await chosenRequests(version),
  };
}
