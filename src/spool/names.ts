// Owns the names of folders and files in a spool directory. Each name is built and parsed here only.
//
// - `<topic>-<p>` is the log of a partition, `<topic>~unplaced` the log of records whose partition is not certain, and
//   `<topic>~gone-<k>` the log of a partition that the topic no longer has. No topic's name has a `~`.
// - A file name has at most 255 bytes and a topic 249, so long topics get short endings: `~u`, `~g<k>`, `~l`, `~p`.
// - `process-<n>` is the part of another process (parts.ts), so the logs of a topic `process` are `process~<p>`.
import { readdir } from 'node:fs/promises';
import { isPart } from './parts.ts';

export type LogKind = 'partition' | 'unplaced' | 'gone';

export interface LogName {
  readonly topic: string;
  readonly kind: LogKind;
  /** The partition, or the `k` of a gone log; 0 for the `unplaced` log. */
  readonly number: number;
}

const TOPIC = String.raw`(?!\.{1,2}[-~])[A-Za-z0-9._-]{1,249}`;
const NUMBER = String.raw`0|[1-9]\d{0,5}`;
const PATTERNS: readonly (readonly [LogKind, RegExp])[] = [
  ['partition', new RegExp(`^(${TOPIC})[-~](${NUMBER})$`)],
  ['unplaced', new RegExp(`^(${TOPIC})~u(?:nplaced)?$`)],
  ['gone', new RegExp(`^(${TOPIC})~g(?:one-)?(${NUMBER})$`)],
];
const FILE = new RegExp(`^(${TOPIC})(?:\\.layout|\\.placing|~l|~p)$`);
const KINDS = PATTERNS.map(([kind]) => kind);

/** Longer topics have short endings. With this length the longest ending, `.placing.new`, fits into a file name. */
const MAX_PLAIN_TOPIC = 243;

export function logName({ topic, kind, number }: LogName): string {
  const isLong = topic.length > MAX_PLAIN_TOPIC;
  switch (kind) {
    case 'partition':
      return `${topic}${topic === 'process' ? '~' : '-'}${number}`;
    case 'unplaced':
      return isLong ? `${topic}~u` : `${topic}~unplaced`;
    case 'gone':
      return isLong ? `${topic}~g${number}` : `${topic}~gone-${number}`;
  }
}

/** Undefined for a name that logName() does not build, such as a part or a number with leading zeros. */
export function parseLogName(name: string): LogName | undefined {
  for (const [kind, pattern] of PATTERNS) {
    const match = pattern.exec(name);
    if (match === null) continue;
    const found = { topic: match[1] ?? '', kind, number: Number(match[2] ?? 0) };
    return logName(found) === name ? found : undefined;
  }
  return undefined;
}

/** The file with the topic's number of partitions (layout.ts). */
export function layoutName(topic: string): string {
  return topic.length > MAX_PLAIN_TOPIC ? `${topic}~l` : `${topic}.layout`;
}

/** The file with the plan of the current copy (placing-plan.ts). */
export function planName(topic: string): string {
  return topic.length > MAX_PLAIN_TOPIC ? `${topic}~p` : `${topic}.placing`;
}

/** The topics that have a log or a file in this directory. @throws the system's error if it cannot be read */
export async function topicsIn(directory: string): Promise<Set<string>> {
  const logs = await logsIn(directory);
  const entries = await readdir(directory, { withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile()).flatMap(({ name }) => topicOfFile(name) ?? []);
  return new Set([...logs.map(({ topic }) => topic), ...files]);
}

/** The topic of a layout or plan; undefined for any other file. */
function topicOfFile(name: string): string | undefined {
  const whole = name.replace(/\.new$/, '');
  const topic = FILE.exec(whole)?.[1];
  return topic !== undefined && [layoutName(topic), planName(topic)].includes(whole) ? topic : undefined;
}

/**
 * The logs that have a folder in this directory, sorted by topic, kind and number.
 * @throws the system's error if the directory cannot be read
 */
export async function logsIn(directory: string): Promise<LogName[]> {
  const entries = await readdir(directory, { withFileTypes: true });
  return entries
    .flatMap((entry) => (entry.isDirectory() && !isPart(entry.name) ? (parseLogName(entry.name) ?? []) : []))
    .sort(compare);
}

function compare(a: LogName, b: LogName): number {
  if (a.topic !== b.topic) return a.topic < b.topic ? -1 : 1;
  return KINDS.indexOf(a.kind) - KINDS.indexOf(b.kind) || a.number - b.number;
}
