// Runs Apache Kafka's own command-line tools, the independent judge of a topic's content: inside the broker's container
// if Docker started it, else with Java. Each call costs the start of a JVM, a second or two, and has a time limit.
import { randomBytes } from 'node:crypto';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { classArchive } from './class-archive.ts';
import { containerName, INTERNAL_PORT } from './docker-node.ts';
import { TOOL_FLAGS } from './java-node.ts';
import { type RunResult, run } from './process.ts';
import { hasDocker, javaRuntime } from './runtime.ts';

const TOOL_TIMEOUT_MS = 60_000;
const DOCKER_TIMEOUT_MS = 10_000;

export const CONSOLE_CONSUMER = 'org.apache.kafka.tools.consumer.ConsoleConsumer';

/** A tool of Kafka failed or was too slow. The message has its output. */
export class KafkaToolError extends Error {
  readonly code = 'KAFKA_TOOL_FAILED';
  override readonly name = 'KafkaToolError';
}

export interface ToolCommand {
  readonly command: string;
  readonly args: readonly string[];
  /** Call it after the command has ended. */
  ended(): Promise<void>;
}

/** The command of a tool for `bootstrap`. Throws KafkaUnavailableError if there is neither Docker nor Java. */
export async function toolCommand(
  bootstrap: string,
  tool: string,
  args: readonly string[],
): Promise<ToolCommand> {
  const container = await containerOf(bootstrap);
  if (container !== undefined) {
    const inside = args.map((arg) => (arg === bootstrap ? `${container}:${INTERNAL_PORT}` : arg));
    const script = ['/opt/kafka/bin/kafka-run-class.sh', tool, ...inside];
    return { command: 'docker', args: ['exec', '-i', container, ...script], ended: async () => {} };
  }
  const runtime = await javaRuntime();
  const { flags, keep } = classArchive(runtime, tool.split('.').at(-1) ?? tool);
  return {
    command: runtime.java,
    args: [...TOOL_FLAGS, ...flags, '-cp', runtime.classPath, tool, ...args],
    ended: keep,
  };
}

/** Runs a tool to its end. Throws KafkaToolError, KafkaUnavailableError. */
export async function runTool(
  bootstrap: string,
  tool: string,
  args: readonly string[],
  timeoutMs = TOOL_TIMEOUT_MS,
): Promise<RunResult> {
  const command = await toolCommand(bootstrap, tool, args);
  const result = await run(command.command, command.args, timeoutMs);
  await command.ended();
  if (result.exitCode === 0) return result;
  const why = result.timedOut ? `was killed after ${timeoutMs} ms` : `ended with code ${result.exitCode}`;
  throw new KafkaToolError(`${tool} ${why}:\n${result.stdout.subarray(-4096)}${result.stderr}`);
}

async function containerOf(bootstrap: string): Promise<string | undefined> {
  if (!(await hasDocker())) return undefined;
  for (const address of bootstrap.split(',')) {
    const name = containerName(Number(address.split(':').at(-1)));
    const state = await run('docker', ['inspect', '-f', '{{.State.Running}}', name], DOCKER_TIMEOUT_MS);
    if (state.stdout.toString().trim() === 'true') return name;
  }
  return undefined;
}

export interface ConsoleRecord {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly timestampType: 'CreateTime' | 'LogAppendTime' | 'NoTimestampType';
  readonly key: Buffer | null;
  readonly value: Buffer | null;
  /** In order, repeated names included. A name is cut at its first colon. */
  readonly headers: readonly (readonly [name: string, value: string])[];
}

export interface ConsoleConsumerOptions {
  /** The read ends after this many records. */
  readonly maxMessages?: number;
  /** The read ends when no record came for this long. Default: 5 s, with maxMessages 20 s. */
  readonly idleMs?: number;
  /** Time limit of the command, after which it throws. Default 60 s. */
  readonly timeoutMs?: number;
}

/** Reads a topic from its beginning with Java's console consumer. Only the records of one partition are in order. */
export async function consoleConsumer(
  bootstrap: string,
  topic: string,
  { maxMessages, timeoutMs, idleMs = maxMessages === undefined ? 5_000 : 20_000 }: ConsoleConsumerOptions,
): Promise<ConsoleRecord[]> {
  // The tool prints the bytes of the records as they are, so the marks between them must not occur in any record.
  const token = randomBytes(12).toString('hex');
  const marks = { field: `|${token}f`, header: `|${token}h`, line: `|${token}n`, none: `|${token}0` };
  const properties = [
    ...['timestamp', 'partition', 'offset', 'headers', 'key'].map((field) => `print.${field}=true`),
    `key.separator=${marks.field}`,
    `headers.separator=${marks.header}`,
    `line.separator=${marks.line}`,
    `null.literal=${marks.none}`,
  ];
  const { stdout } = await runTool(
    bootstrap,
    CONSOLE_CONSUMER,
    [
      ...['--bootstrap-server', bootstrap, '--topic', topic, '--timeout-ms', String(idleMs)],
      '--from-beginning',
      ...(maxMessages === undefined ? [] : ['--max-messages', String(maxMessages)]),
      ...properties.flatMap((property) => ['--property', property]),
    ],
    timeoutMs,
  );
  // latin1 keeps every byte as it is.
  const lines = stdout.toString('latin1').split(marks.line).slice(0, -1);
  return lines.map((line) => parseRecord(line, marks));
}

function parseRecord(line: string, marks: { field: string; header: string; none: string }): ConsoleRecord {
  const fields = line.split(marks.field);
  const [time = '', partition = '', offset = '', headers = '', key = '', value = ''] = fields;
  const [timestampType, timestamp] = time.split(':');
  const bytes = (text: string): Buffer | null => (text === marks.none ? null : Buffer.from(text, 'latin1'));
  return {
    partition: Number(partition.slice('Partition:'.length)),
    offset: Number(offset.slice('Offset:'.length)),
    timestamp: Number(timestamp),
    timestampType: timestampType as ConsoleRecord['timestampType'],
    key: bytes(key),
    value: bytes(value),
    headers: headers === 'NO_HEADERS' ? [] : headers.split(marks.header).map(parseHeader),
  };
}

function parseHeader(text: string): readonly [name: string, value: string] {
  const [name = '', ...value] = Buffer.from(text, 'latin1').toString().split(':');
  return [name, value.join(':')];
}

/** A record batch in a segment file. Kafka gives -1 for a field that the batch does not use. */
export type DumpedBatch = ReturnType<typeof parseBatch> & {
  /** The segment file. */
  readonly file: string;
  /** The record lines as the tool prints them, key and payload included. */
  readonly records: readonly string[];
};

/** The tool prints it before the name of each file. */
const DUMPING = 'Dumping ';

/** Dumps segment files (*.log) with kafka.tools.DumpLogSegments, in the container of `bootstrap` if there is one. */
export async function dumpLog(bootstrap: string, files: readonly string[]): Promise<DumpedBatch[]> {
  const args = ['--files', files.join(','), '--print-data-log', '--deep-iteration'];
  const { stdout } = await runTool(bootstrap, 'kafka.tools.DumpLogSegments', args);
  const batches: (DumpedBatch & { records: string[] })[] = [];
  let file = '';
  for (const line of stdout.toString().split('\n')) {
    if (line.startsWith(DUMPING)) file = line.slice(DUMPING.length);
    else if (line.startsWith('baseOffset: ')) batches.push({ ...parseBatch(line), file, records: [] });
    else if (line.startsWith('| offset: ')) batches.at(-1)?.records.push(line.slice(2));
  }
  return batches;
}

/** The segment files of a partition, oldest first. Only for a broker that runs without Docker. */
export async function segmentFiles(dataDir: string, topic: string, partition: number): Promise<string[]> {
  const directory = join(dataDir, `${topic}-${partition}`);
  const files = (await readdir(directory)).filter((file) => file.endsWith('.log'));
  return files.sort().map((file) => join(directory, file));
}

function parseBatch(line: string) {
  const fields = new Map(
    Array.from(line.matchAll(/(\w+): (\S+)/g), ([, name = '', value = '']) => [name, value]),
  );
  const number = (name: string): number => Number(fields.get(name));
  return {
    baseOffset: number('baseOffset'),
    lastOffset: number('lastOffset'),
    count: number('count'),
    baseSequence: number('baseSequence'),
    lastSequence: number('lastSequence'),
    producerId: number('producerId'),
    magic: number('magic'),
    codec: fields.get('compresscodec') ?? '',
    /** The checksum is right. */
    isValid: fields.get('isvalid') === 'true',
  };
}

export interface ConfigTarget {
  readonly type: 'topics' | 'brokers' | 'users' | 'clients';
  /** Null: the default of all without one of their own. */
  readonly name: string | null;
}

/** Sets and removes single settings. With kafkajs, a change of one setting would reset all others. */
export async function alterConfig(
  bootstrap: string,
  target: ConfigTarget,
  change: { readonly set?: Readonly<Record<string, string>>; readonly remove?: readonly string[] },
): Promise<void> {
  const set = Object.entries(change.set ?? {}).map(([name, value]) => `${name}=[${value}]`);
  const remove = change.remove ?? [];
  await runTool(bootstrap, 'kafka.admin.ConfigCommand', [
    ...['--bootstrap-server', bootstrap, '--alter'],
    ...['--entity-type', target.type],
    ...(target.name === null ? ['--entity-default'] : ['--entity-name', target.name]),
    ...(set.length > 0 ? ['--add-config', set.join(',')] : []),
    ...(remove.length > 0 ? ['--delete-config', remove.join(',')] : []),
  ]);
}
