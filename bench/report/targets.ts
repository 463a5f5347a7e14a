// The targets of the project: limits for figures of the bench on a machine with two cores, which server, Kafka and load
// share.
import type { Limit } from './limits.ts';

export interface Target extends Limit {
  readonly about: string;
  /** For the README. */
  readonly headline?: string;
  /** The limit from Node 24 on. Absent: the same. */
  readonly fromNode24?: number;
}

/** From socket to consumer, with one process and with two, by the scenario's rate. `npm run bench -- --peer` holds us to them, too. */
export const MAX_P99_MS = { steady: 15, latency: 25 } as const;

export const TARGETS: readonly Target[] = [
  atMost(
    'batch',
    'busyMultiple',
    2.5,
    'server CPU a message, as a multiple of one `JSON.parse` of the same line at the same time, with 50 lines a write',
    'CPU a message, 50 lines a write, as a multiple of one `JSON.parse` of the same line',
  ),
  atMost('single', 'busyMultiple', 3.5, 'the same, one line a write, at full speed'),
  atMost('steady', 'busyMultiple', 12, 'the same at 20,000 messages a second'),
  atMost(
    'batch',
    'multiple',
    2.5,
    'server CPU a message, as a multiple of one `JSON.parse` of the same line on the quiet machine, with 50 lines a write',
  ),
  atMost('single', 'multiple', 3.5, 'the same, one line a write, at full speed'),
  atMost('steady', 'multiple', 12, 'the same at 20,000 messages a second'),
  atLeast(
    'kafkajs',
    'ratio',
    4,
    'throughput, relative to the same server with kafkajs `send()` instead of its own batches',
    'throughput, as a multiple of that of the same server with kafkajs `send()`',
  ),
  atLeast(
    'one-at-a-time',
    'ratio',
    15,
    'throughput, relative to one message at a time (`KAFKA_ASYNC=false`, no worker pool)',
    'throughput, as a multiple of that with one message at a time (`KAFKA_ASYNC=false`, no worker pool)',
  ),
  atMost(
    'steady',
    'p99Ms',
    MAX_P99_MS.steady,
    'ms from socket to consumer at 20,000 messages a second, p99',
    "ms from a device's socket to a consumer at 20,000 messages a second, p99",
  ),
  atMost('steady-two', 'p99Ms', MAX_P99_MS.steady, 'the same with two processes, the default on two cores'),
  atMost(
    'latency',
    'p99Ms',
    MAX_P99_MS.latency,
    'ms from socket to consumer at 2,000 messages a second, p99',
  ),
  atMost('latency-two', 'p99Ms', MAX_P99_MS.latency, 'the same with two processes'),
  atLeast(
    'confirmed',
    'ratio',
    0.9,
    'confirmed throughput (`seq` and `stored`), relative to unconfirmed',
    'throughput with confirmations (`seq`), relative to that without',
  ),
  atMost('memory', 'idleKb', 5, 'KB of memory for each of 10,000 idle connections'),
  atMost(
    'memory',
    'afterLineKb',
    6,
    'KB of memory for each of 10,000 connections that have sent one line',
    'KB of memory for each of 10,000 connections that have sent a line',
  ),
  atMost('idle', 'onePercent', 1, '% of a core with 10,000 silent connections, one process'),
  atMost(
    'idle',
    'twoPercent',
    1,
    'the same with two server processes and the first process',
    '% of a core with 10,000 silent connections and two processes',
  ),
  atLeast(
    'connections',
    'ratio',
    0.85,
    'throughput with 10,000 connections, relative to 100 connections',
    'throughput with 10,000 connections, relative to 100 connections',
  ),
  atMost('processes', 'cpuRatio', 1.1, 'CPU a message with two processes, relative to one'),
  atMost('plain-lines', 'cpuRatio', 1.2, 'CPU a plain line, relative to a metrics message'),
  atLeast(
    'far-device',
    'ratio',
    0.9,
    'confirmed throughput of one connection 100 ms away, relative to 1 ms away',
    'confirmed throughput of a device 100 ms away, relative to 1 ms away',
  ),
  atLeast(
    'far-kafka',
    'ratio',
    0.9,
    'throughput with Kafka 100 ms away, relative to Kafka without delay',
    'throughput with Kafka 100 ms away, relative to Kafka on the same machine',
  ),
  atLeast(
    'spool',
    'ratio',
    0.7,
    'confirmed throughput without Kafka, relative to that with it',
    'confirmed throughput without Kafka (to the spool), relative to that with it',
  ),
  atMost('spool', 'p99Ms', 50, 'ms from line to `stored` without Kafka, p99'),
  atLeast('drain', 'times', 3, 'rate of draining, relative to the rate of arriving messages'),
  atLeast('drain-slow', 'times', 3, 'the same, for a spool with small batches'),
  atMost(
    'storm',
    'toldSeconds',
    5,
    's until 10,000 devices that come at once are identified and told so, beside 12,000 small writes a second',
  ),
  atMost('storm', 'failed', 0, 'how many of these devices failed'),
  atMost('storm', 'exitCode', 0, 'exit code after SIGTERM, while as many devices come at once again'),
  atMost(
    'storm-50k',
    'toldSeconds',
    25,
    's until 50,000 devices that come at once to three processes are identified and told so',
  ),
  atMost('storm-50k', 'failed', 0, 'how many of these devices failed'),
  atMost(
    'storm-50k',
    'p99Ms',
    100,
    'ms from line to `stored` when these devices then send 8,000 messages a second, p99',
  ),
  atLeast(
    'tls',
    'handshakeRatio',
    0.9,
    'TLS 1.3 handshakes a second and core, relative to a bare Node TLS server',
  ),
  atLeast('tls', 'handshakeRatio12', 0.9, 'the same with TLS 1.2'),
  atMost(
    'tls',
    'idleOverKb',
    4,
    'KB of memory for a TLS connection, beyond what a bare Node TLS server takes',
  ),
  atMost('tls', 'overKb', 4, 'the same after a line'),
  atMost(
    'tls',
    'cpuRatio',
    1.5,
    'CPU a message over TLS, relative to plain, with 50 lines a write',
    'CPU a message over TLS, relative to plain',
  ),
  atMost('tls', 'singleCpuRatio', 1.5, 'the same, one line a write'),
  atMost('start', 'firstLineMs', 500, 'ms from the start to the first accepted line'),
  atMost('after-start', 'pssMiB', 95, 'MiB of memory of all processes after the start (PSS)'),
  atMost('after-start', 'rssMiB', 190, 'MiB of memory of all processes after the start (RSS)'),
];

function atMost(scenario: string, figure: string, value: number, about: string, headline?: string): Target {
  return { scenario, figure, side: 'max', value, about, ...(headline !== undefined && { headline }) };
}

function atLeast(scenario: string, figure: string, value: number, about: string, headline?: string): Target {
  return { scenario, figure, side: 'min', value, about, ...(headline !== undefined && { headline }) };
}
