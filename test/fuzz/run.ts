// Runs the gateway as a process before a real Kafka, sends it mutated lines over many connections at a time, and judges
// every answer and record.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Target } from '../../load/plan.ts';
import { createTopic } from '../../scripts/kafka/client.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { makeCertificate, tlsSettings } from '../../scripts/lib/certificate.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';
import { planConnection } from './connection-plan.ts';
import { exchange } from './exchange.ts';
import { connectionIdOf, type Disagreement, disagreements, expectedRecords } from './judge.ts';
import { Reader } from './reader.ts';
import { TopicTail } from './topic-tail.ts';

/** Connections at a time. Many, because one that writes tiny pieces takes seconds. */
const MAX_PARALLEL = 192;
const MIN_PARALLEL = 16;
/** All that have begun are judged to their end, about 230 lines each. So a short run has fewer at a time. */
const LINES_FOR_EACH = 500;
const MAX_DISAGREEMENTS = 50;
/** The first records wait for the consumer, which needs seconds to start. */
const RECORDS_DEADLINE_MS = 60_000;
const SETTLE_DEADLINE_MS = 30_000;
const PROGRESS_MS = 30_000;
/** Log levels of pino. */
const ERROR_LEVEL = 50;

export interface FuzzOptions {
  /** Over TLS; each piece of a connection is a record then. */
  readonly tls?: boolean;
  readonly bootstrap: string;
  readonly topic: string;
  /** The run ends when this many lines are judged. */
  readonly lines: number;
  readonly seed: number;
  /** Runs only this connection. */
  readonly connection?: number | undefined;
  readonly say?: (text: string) => void;
  readonly signal?: AbortSignal;
}

export interface FuzzResult {
  readonly connections: number;
  readonly lines: number;
  readonly accepted: number;
  readonly records: number;
  /** Lines by the code of their refusal. */
  readonly refused: Readonly<Record<string, number>>;
  readonly seconds: number;
  readonly disagreements: readonly Disagreement[];
  /** Findings about the whole run: figures that do not add up, errors in the log. */
  readonly wrong: readonly string[];
}

export async function fuzz(options: FuzzOptions): Promise<FuzzResult> {
  const { bootstrap, topic, tls = false } = options;
  const directory = await mkdtemp(join(tmpdir(), 'sluice-fuzz-'));
  const certificate = tls ? await makeCertificate(directory) : undefined;
  const tlsPort = await freePort();
  const gateway = await GatewayProcess.reserve(directory, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_TOPIC_DEAD_LETTERS: `${topic}.dead`,
    SPOOL_DIR: join(directory, 'spool'),
    // A busy machine must not turn the fuzz into a test of time-outs.
    TCP_IDENTIFY_TIMEOUT: '5m',
    TCP_LINE_TIMEOUT: '5m',
    TCP_INACTIVITY_TIMEOUT: '5m',
    ...(certificate && { ...tlsSettings(certificate), TCP_TLS_PORT: String(tlsPort) }),
  });
  const tail = new TopicTail();
  const reader = new Reader();
  try {
    await createTopic(bootstrap, topic, {
      partitions: 4,
      config: { 'segment.bytes': '67108864', 'retention.bytes': '268435456' },
    });
    await tail.start(bootstrap, topic);
    await gateway.start();
    const host = '127.0.0.1';
    const target =
      certificate === undefined
        ? { host, port: gateway.port }
        : { host, port: tlsPort, tls: { ca: certificate.cert } };
    return await new Run(options, { gateway, target, tail, reader }).play();
  } finally {
    tail.close();
    reader.close();
    await gateway.close();
    await rm(directory, { recursive: true, force: true });
  }
}

interface Parts {
  readonly gateway: GatewayProcess;
  readonly target: Target;
  readonly tail: TopicTail;
  readonly reader: Reader;
}

class Run {
  readonly #options: FuzzOptions;
  readonly #parts: Parts;
  readonly #startedMs = performance.now();
  readonly #disagreements: Disagreement[] = [];
  readonly #refused: Record<string, number> = {};
  #next = 0;
  #connections = 0;
  #lines = 0;
  #accepted = 0;
  #records = 0;

  constructor(options: FuzzOptions, parts: Parts) {
    this.#options = options;
    this.#parts = parts;
  }

  async play(): Promise<FuzzResult> {
    const { connection, lines, say = () => {} } = this.#options;
    const length = Math.min(MAX_PARALLEL, Math.max(MIN_PARALLEL, Math.ceil(lines / LINES_FOR_EACH)));
    const progress = setInterval(() => say(this.#progress()), PROGRESS_MS);
    try {
      if (connection !== undefined) await this.#connection(connection);
      else await Promise.all(Array.from({ length }, () => this.#connect()));
    } finally {
      clearInterval(progress);
    }
    return {
      connections: this.#connections,
      lines: this.#lines,
      accepted: this.#accepted,
      records: this.#records,
      refused: this.#refused,
      seconds: (performance.now() - this.#startedMs) / 1000,
      disagreements: this.#disagreements,
      wrong: await this.#wrong(),
    };
  }

  /** Runs connections one after the other. */
  async #connect(): Promise<void> {
    const { lines, signal } = this.#options;
    while (this.#lines < lines && signal?.aborted !== true && this.#disagreements.length < MAX_DISAGREEMENTS)
      await this.#connection(this.#next++);
  }

  async #connection(number: number): Promise<void> {
    const { gateway, target, reader, tail } = this.#parts;
    const plan = planConnection(this.#options.seed, number);
    const [verdicts, { replies, broken }] = await Promise.all([
      reader.judge(number, plan.bytes),
      exchange(target, plan),
    ]);
    if (!gateway.running)
      throw new Error(`the gateway ended during connection ${number}\n${gateway.logTail()}`);
    const id = connectionIdOf(replies);
    const expected = id === undefined ? 0 : expectedRecords(verdicts, id).length;
    const records = id === undefined ? [] : await tail.take(id, expected, RECORDS_DEADLINE_MS);
    this.#disagreements.push(...disagreements({ plan, verdicts, replies, broken, records }));
    this.#connections++;
    // Other protocols have no lines.
    this.#lines += verdicts.length - (replies.at(-1)?.code === 'wrong_protocol' ? 1 : 0);
    this.#accepted += verdicts.filter(({ verdict }) => verdict !== 'refused').length;
    this.#records += expected;
    for (const { code } of replies)
      if (code !== undefined) this.#refused[code] = (this.#refused[code] ?? 0) + 1;
  }

  #progress(): string {
    const seconds = (performance.now() - this.#startedMs) / 1000;
    const rate = Math.round(this.#lines / seconds);
    return `${this.#lines} lines, ${rate} a second, ${this.#disagreements.length} disagreements`;
  }

  /** The figures of the gateway, once nothing is on its way, against the reader's. */
  async #wrong(): Promise<string[]> {
    const { gateway, tail } = this.#parts;
    const isSettled = () => {
      const { spooled, inFlight, open } = gateway.stats.records;
      return gateway.stats.lines.received >= this.#lines && spooled + inFlight + open === 0;
    };
    await waitFor('nothing is on its way', isSettled, SETTLE_DEADLINE_MS).catch(() => {});
    const { lines, records } = gateway.stats;
    const sums: [string, number, number][] = [
      ['lines received', lines.received, this.#lines],
      ['lines accepted', lines.accepted, this.#accepted],
      ['lines refused', lines.refusedLines, this.#lines - this.#accepted],
      ['records accepted', records.accepted, this.#records],
      ['records confirmed', records.confirmed, this.#records],
    ];
    const wrong = sums.flatMap(([what, is, expected]) =>
      is === expected ? [] : [`${what}: ${is}, the reader has ${expected}`],
    );
    wrong.push(...gateway.imbalances.slice(0, 3));
    for (const value of [...tail.strange, ...tail.left].slice(0, 3))
      wrong.push(`a record of no connection: ${value.slice(0, 300)}`);
    for (const { level, msg } of gateway.log)
      if (level >= ERROR_LEVEL) wrong.push(`the gateway logged: ${msg}`);
    gateway.signal('SIGTERM');
    const code = await gateway.exited();
    if (code !== 0) wrong.push(`the gateway ended with ${code}\n${gateway.logTail()}`);
    return wrong;
  }
}

/** The result as text. */
export function report(result: FuzzResult, seed: number): string {
  const { connections, lines, accepted, records, refused, seconds, disagreements: found, wrong } = result;
  const codes = Object.entries(refused).sort(([, a], [, b]) => b - a);
  const kinds = new Map<string, Disagreement[]>();
  for (const one of found) kinds.set(one.kind, [...(kinds.get(one.kind) ?? []), one]);
  return [
    `seed ${seed}: ${lines} lines over ${connections} connections in ${seconds.toFixed(0)} s`,
    `accepted ${accepted} lines with ${records} records, refused ${lines - accepted}: ${codes.map(([code, count]) => `${code} ${count}`).join(', ')}`,
    `disagreements: ${found.length}`,
    ...[...kinds].flatMap(([kind, list]) => [
      `${kind}: ${list.length}`,
      ...list
        .slice(0, 5)
        .map(({ connection, text }) => `  --seed ${seed} --connection ${connection}: ${text}`),
    ]),
    ...wrong.map((text) => `wrong: ${text}`),
  ].join('\n');
}
