// What Sluice sets out to reach, as ratios and figures of one run on a machine of two cores, shared with Kafka and
// the load.
import type { Limit } from './limits.ts';

export interface Target extends Limit {
  readonly about: string;
  /** For the README. */
  readonly headline?: string;
}

export const TARGETS: readonly Target[] = [
  most(
    'batch',
    'busyMultiple',
    2.5,
    'server CPU a message in units of `JSON.parse` of the same line beside it, 50 lines a write',
    'CPU a message, 50 lines a write, in units of `JSON.parse` of the line beside it',
  ),
  most('single', 'busyMultiple', 3.5, 'the same, one line a write, as fast as taken'),
  most('steady', 'busyMultiple', 12, 'the same at 20,000 messages a second'),
  most('batch', 'multiple', 2.5, 'in units of `JSON.parse` on the quiet machine, 50 lines a write'),
  most('single', 'multiple', 3.5, 'the same, one line a write, as fast as taken'),
  most('steady', 'multiple', 12, 'the same at 20,000 messages a second'),
  least(
    'kafkajs',
    'ratio',
    4,
    'throughput against the same server with kafkajs `send()` in place of its own batches',
    'times the throughput of the same server with kafkajs `send()`',
  ),
  least(
    'old-way',
    'ratio',
    15,
    'throughput against one message at a time, as the system before it',
    'times that of a message at a time (`KAFKA_ASYNC=false`, no worker pool)',
  ),
  most(
    'steady',
    'p99Ms',
    20,
    'ms from socket to consumer at 20,000 messages a second, p99',
    'ms from socket to consumer at 20,000 messages a second, p99',
  ),
  most('latency', 'p99Ms', 30, 'ms from socket to consumer at 2,000 messages a second, p99'),
  least(
    'confirmed',
    'ratio',
    0.9,
    'throughput confirmed (`seq` and `stored`) against unconfirmed',
    'throughput with every message confirmed, of that without',
  ),
  most('memory', 'idleKb', 5, 'KB of memory an idle connection, of 10,000'),
  most(
    'memory',
    'afterLineKb',
    6,
    'KB of memory a connection that has sent one line, of 10,000',
    'KB of memory a connection, of 10,000 that have each sent a line',
  ),
  least(
    'connections',
    'ratio',
    0.85,
    'throughput with 10,000 connections against 100',
    'throughput with 10,000 connections, of that with 100',
  ),
  most('processes', 'cpuRatio', 1.1, 'CPU a message of two processes against one'),
  least(
    'far-device',
    'ratio',
    0.9,
    'confirmed throughput of one connection 100 ms away, against 1 ms',
    'confirmed throughput of a device 100 ms away, of that at 1 ms',
  ),
  least(
    'far-kafka',
    'ratio',
    0.9,
    'throughput with Kafka 100 ms away, against none',
    'throughput with Kafka 100 ms away, of that beside it',
  ),
  least(
    'spool',
    'ratio',
    0.7,
    'confirmed throughput without Kafka, against with it',
    'confirmed throughput without Kafka (to the spool), of that with it',
  ),
  most('spool', 'p99Ms', 50, 'ms from line to `stored` without Kafka, p99'),
  least('drain', 'times', 3, 'draining in units of what arrives meanwhile'),
  least('drain-slow', 'times', 3, 'the same, of a spool of small batches'),
];

function most(scenario: string, figure: string, value: number, about: string, headline?: string): Target {
  return { scenario, figure, side: 'most', value, about, ...(headline !== undefined && { headline }) };
}

function least(scenario: string, figure: string, value: number, about: string, headline?: string): Target {
  return { scenario, figure, side: 'least', value, about, ...(headline !== undefined && { headline }) };
}
