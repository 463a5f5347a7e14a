// The figures about Kafka and the disk that are more than a number: why something does not work, as a closed set of
// causes. Merges those of several processes.

import { mergeRuns, type PartitionRun } from './partition-runs.ts';

/**
 * - `not_configured`: KAFKA_BROKERS is empty.
 * - `connecting`: nothing has been tried yet.
 * - `login`: a broker refuses the login.
 * - `token`: there is no token for the login.
 * - `brokers`: no broker answers.
 * - `versions`: the brokers speak no version of a request that we speak.
 * - `leaders`: leaders of partitions cannot be connected to.
 * - `leaderless`: partitions have no leader.
 * - `fewer`: a broker names fewer partitions than before.
 * - `topic`: the topic is missing, or Kafka refuses requests about it.
 */
export type KafkaCause =
  | 'not_configured'
  | 'connecting'
  | 'login'
  | 'token'
  | 'brokers'
  | 'versions'
  | 'leaders'
  | 'leaderless'
  | 'fewer'
  | 'topic';

export interface KafkaTrouble {
  readonly cause: KafkaCause;
  readonly reason: string;
  /** Other partitions are delivered. */
  readonly isPartial: boolean;
}

export interface TopicFigures {
  readonly topic: string;
  /** `lines`: a further topic of readings, which the port for plain lines names. */
  readonly use: 'metrics' | 'lines' | 'dead letters' | 'presence';
  /** 0 if Kafka has not named their number yet. */
  readonly partitions: number;
  /** Partitions on disk whose oldest batch failed when it was last tried. Those held count too. */
  readonly failing: number;
  /** Partitions that wait because Kafka refuses all of their records. */
  readonly held: number;
  readonly states: readonly PartitionRun[];
  readonly trouble: KafkaTrouble | null;
  /** What an operator has to do, if partitions fail for a reason that does not pass by itself. */
  readonly problems: readonly string[];
  readonly lastError: string | null;
}

/** Why a write to the spool did not succeed. */
export interface SpoolRefusal {
  /** `limit`: SPOOL_MAX_BYTES; `disk-full`: no space; `disk`: any other error of the system. */
  readonly cause: 'limit' | 'disk-full' | 'disk';
  readonly reason: string;
}

/** The list is for people, so it must not grow with the number of partitions. */
export const MAX_PROBLEMS = 10;

/** Each reason once, at most MAX_PROBLEMS: processes that share a Kafka mostly share its problems. */
export function distinctProblems(problems: readonly string[]): readonly string[] {
  return [...new Set(problems)].slice(0, MAX_PROBLEMS);
}

/** The trouble that concerns most. A process that has only just started does not hide that Kafka works for the others. */
export function worstTrouble(values: readonly (KafkaTrouble | null)[]): KafkaTrouble | null {
  const known = values.filter((one) => one?.cause !== 'connecting');
  const troubles = known.filter((one) => one !== null);
  const worst = troubles.find(({ isPartial }) => !isPartial) ?? troubles[0];
  return worst ?? (known.length > 0 ? null : (values[0] ?? null));
}

/** One entry for each topic. Every process counts the same partitions, so the largest number is kept. */
export function mergeTopics(entries: readonly TopicFigures[]): readonly TopicFigures[] {
  const merged = new Map<string, TopicFigures>();
  for (const entry of entries) {
    const known = merged.get(entry.topic);
    merged.set(entry.topic, known === undefined ? entry : bothOf(known, entry));
  }
  return [...merged.values()];
}

function bothOf(one: TopicFigures, other: TopicFigures): TopicFigures {
  return {
    ...one,
    partitions: Math.max(one.partitions, other.partitions),
    failing: Math.max(one.failing, other.failing),
    held: Math.max(one.held, other.held),
    states: mergeRuns(one.states, other.states),
    trouble: worstTrouble([one.trouble, other.trouble]),
    problems: distinctProblems([...one.problems, ...other.problems]),
    lastError: one.lastError ?? other.lastError,
  };
}
