// The generated part of docs/compatibility.md: how each Kafka did in each job, and the requests that it lacks.
import { fileURLToPath } from 'node:url';
import type { Outcome, Results, VersionResult } from '../compatibility/results.ts';
import { textTable } from './markdown.ts';

export const PAGE = {
  file: fileURLToPath(new URL('../../../docs/compatibility.md', import.meta.url)),
  heading: 'Compatibility',
  section: 'compatibility',
} as const;

interface Lack {
  readonly isIn: (result: VersionResult) => boolean;
  readonly means: string;
}

/** The request is missing, or the broker has it only in an older version. */
const below = (api: string, version: number): Lack['isIn'] => {
  return ({ requests }) => (requests[api] ?? -1) < version;
};

/** Features that a broker may lack, each with the consequence for Sluice. */
const LACKS: readonly Lack[] = [
  { isIn: below('Produce', 6), means: 'quotas that announce the wait: the answer itself comes late' },
  { isIn: below('Produce', 7), means: 'zstd' },
  {
    isIn: ({ hasDefaultReplicas }) => !hasDefaultReplicas,
    means:
      'a number of replicas of its own for topics that Sluice creates: set `KAFKA_REPLICATION_FACTOR`, or create the topics',
  },
  {
    isIn: below('Rights', 8),
    means: 'a list of the rights of a login: `sluice check` does not name one that is missing',
  },
  {
    isIn: below('DescribeQuorum', 1),
    means: 'an answer with its clock: `sluice check` cannot compare it with ours',
  },
];

export function compatibilitySection(results: Results): string {
  return [jobsTable(results), lacksTable(results), requestsTable(results)].join('\n\n');
}

/** A row for each Kafka. */
export function jobsTable(results: Results): string {
  const rows = newestFirst(results);
  const jobs = [...new Set(rows.flatMap(([, { jobs }]) => Object.keys(jobs)))];
  return textTable(
    ['Kafka', ...jobs, 'run on'],
    rows.map(([name, result]) => [
      title(name, result),
      ...jobs.map((job) => inWords(result.jobs[job])),
      `${result.at}, Node ${result.node}`,
    ]),
  );
}

function lacksTable(results: Results): string {
  const rows = newestFirst(results).map(([name, result]) => {
    if (result.requests.Produce === null)
      return [name, 'the record batches that Sluice writes: it is refused'];
    const lacks = LACKS.filter(({ isIn }) => isIn(result)).map(({ means }) => means);
    return [name, lacks.length === 0 ? 'nothing that Sluice uses' : lacks.join('; ')];
  });
  return textTable(['Kafka', 'lacks'], rows);
}

function requestsTable(results: Results): string {
  const rows = newestFirst(results);
  const apis = Object.keys(rows[0]?.[1].requests ?? {});
  return textTable(
    ['request', ...rows.map(([name]) => name)],
    apis.map((api) => [`\`${api}\``, ...rows.map(([, { requests }]) => String(requests[api] ?? 'none'))]),
  );
}

function newestFirst(results: Results): [string, VersionResult][] {
  return Object.entries(results).sort(([a], [b]) => b.localeCompare(a, 'en', { numeric: true }));
}

const title = (name: string, { hasZooKeeper }: VersionResult) =>
  hasZooKeeper ? `${name} with ZooKeeper` : name;

function inWords(outcome: Outcome | undefined): string {
  if (outcome === undefined) return '-';
  const { passed, failed, seconds, isGood } = outcome;
  return isGood
    ? `ok (${passed} tests, ${seconds} s)`
    : `FAILED: ${failed} of ${passed + failed} (${seconds} s)`;
}
