// What Sluice sets out to reach, as ratios and figures of one run on a machine of two cores, shared with Kafka and
// the load.
import type { Limit } from './limits.ts';

export interface Target extends Limit {
  readonly about: string;
  /** For the README. */
  readonly headline?: string;
}

export const TARGETS: readonly Target[] = [
  atMost(
    'batch',
    'busyMultiple',
    2.5,
    'server CPU a message in units of `JSON.parse` of the same line beside it, 50 lines a write',
    'CPU a message, 50 lines a write, in units of `JSON.parse` of the line beside it',
  ),
  atMost('single', 'busyMultiple', 3.5, 'the same, one line a write, as fast as taken'),
  atMost('steady', 'busyMultiple', 12, 'the same at 20,000 messages a second'),
  atMost('batch', 'multiple', 2.5, 'in units of `JSON.parse` on the quiet machine, 50 lines a write'),
  atMost('single', 'multiple', 3.5, 'the same, one line a write, as fast as taken'),
  atMost('steady', 'multiple', 12, 'the same at 20,000 messages a second'),
  atLeast(
    'kafkajs',
    'ratio',
    4,
    'throughput against the same server with kafkajs `send()` in place of its own batches',
    'times the throughput of the same server with kafkajs `send()`',
  ),
  atLeast(
    'one-at-a-time',
    'ratio',
    15,
    'throughput against one message at a time, as the system before it',
    'times that of a message at a time (`KAFKA_ASYNC=false`, no worker pool)',
  ),
  atMost(
    'steady',
    'p99Ms',
    20,
    'ms from socket to consumer at 20,000 messages a second, p99',
    'ms from socket to consumer at 20,000 messages a second, p99',
  ),
  atMost('latency', 'p99Ms', 30, 'ms from socket to consumer at 2,000 messages a second, p99'),
  atLeast(
    'confirmed',
    'ratio',
    0.9,
    'throughput confirmed (`seq` and `stored`) against unconfirmed',
    'throughput with every message confirmed, of that without',
  ),
  atMost('memory', 'idleKb', 5, 'KB of memory an idle connection, of 10,000'),
  atMost(
    'memory',
    'afterLineKb',
    6,
    'KB of memory a connection that has sent one line, of 10,000',
    'KB of memory a connection, of 10,000 that have each sent a line',
  ),
  atLeast(
    'connections',
    'ratio',
    0.85,
    'throughput with 10,000 connections against 100',
    'throughput with 10,000 connections, of that with 100',
  ),
  atMost('processes', 'cpuRatio', 1.1, 'CPU a message of two processes against one'),
  atLeast(
    'far-device',
    'ratio',
    0.9,
    'confirmed throughput of one connection 100 ms away, against 1 ms',
    'confirmed throughput of a device 100 ms away, of that at 1 ms',
  ),
  atLeast(
    'far-kafka',
    'ratio',
    0.9,
    'throughput with Kafka 100 ms away, against none',
    'throughput with Kafka 100 ms away, of that beside it',
  ),
  atLeast(
    'spool',
    'ratio',
    0.7,
    'confirmed throughput without Kafka, against with it',
    'confirmed throughput without Kafka (to the spool), of that with it',
  ),
  atMost('spool', 'p99Ms', 50, 'ms from line to `stored` without Kafka, p99'),
  atLeast('drain', 'times', 3, 'draining in units of what arrives meanwhile'),
  atLeast('drain-slow', 'times', 3, 'the same, of a spool of small batches'),
];

function atMost(scenario: string, figure: string, value: number, about: string, headline?: string): Target {
  return { scenario, figure, side: 'max', value, about, ...(headline !== undefined && { headline }) };
}

function atLeast(scenario: string, figure: string, value: number, about: string, headline?: string): Target {
  return { scenario, figure, side: 'min', value, about, ...(headline !== undefined && { headline }) };
}
