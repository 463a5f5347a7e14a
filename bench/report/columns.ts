// The table of all figures of the bench: name, heading, digits, and whether more or less is better. Result tables, limits
// and comparisons read it.
import type { DrainFigures } from '../scenarios/drain.ts';
import type { IdleFigures } from '../scenarios/idle.ts';
import type { Measurement } from '../scenarios/measure.ts';
import type { MemoryFigures } from '../scenarios/memory.ts';
import type { PairFigures } from '../scenarios/pair.ts';
import type { SpoolFigures } from '../scenarios/spool.ts';
import type { AfterStartFigures, StartFigures } from '../scenarios/start.ts';
import type { StormFigures } from '../scenarios/storm.ts';
import type { StormManyFigures } from '../scenarios/storm-many.ts';
import type { TlsFigures } from '../scenarios/tls.ts';
import type { OfServers } from '../servers/tls-servers.ts';

export type Figures =
  | Measurement
  | PairFigures
  | MemoryFigures
  | IdleFigures
  | SpoolFigures
  | DrainFigures
  | StormFigures
  | StormManyFigures
  | TlsFigures
  | StartFigures
  | AfterStartFigures;
export type Kind = Figures['kind'];
export type FiguresOf<K extends Kind> = Extract<Figures, { kind: K }>;

export interface ScenarioResult {
  readonly name: string;
  readonly about: string;
  readonly kind: Kind;
  /** ISO 8601, if it was measured before the rest of its file. */
  readonly at?: string | undefined;
  /** The successful runs. */
  readonly runs: readonly Figures[];
  readonly failures: readonly string[];
}

export interface Column {
  /** The name after that of the scenario: `multiple` in `batch.multiple`. */
  readonly key: string;
  readonly head: string;
  readonly digits: number;
  /** Undefined if the run has no such figure. */
  readonly value: (run: Figures) => number | undefined;
  /** Absent if neither is better, or if one figure says too little. */
  readonly better?: 'more' | 'less';
  /** True if another machine gives about the same value. */
  readonly isRatio?: boolean;
}

const load = columns('load');
const pair = columns('pair');
const memory = columns('memory');
const idle = columns('idle');
const spool = columns('spool');
const drain = columns('drain');
const storm = columns('storm');
const stormMany = columns('storm-many');
const tls = columns('tls');
const start = columns('start');
const afterStart = columns('after-start');

export const COLUMNS: Readonly<Record<Kind, readonly Column[]>> = {
  load: [
    load('perSecond', 'messages/s', 0, (run) => run.perSecond, 'more'),
    load('serverCpuUs', 'server CPU us', 2, (run) => run.serverCpuUs, 'less'),
    load('jsonParseUs', 'JSON.parse us', 2, (run) => run.jsonParseUs),
    load('multiple', 'multiple', 2, (run) => run.multiple, 'less', 'ratio'),
    load('busyMultiple', 'multiple busy', 2, (run) => run.busyMultiple, 'less', 'ratio'),
    load('loadCpuUs', 'load CPU us', 2, (run) => run.loadCpuUs),
    load('residentMiB', 'RSS MiB', 0, (run) => run.residentMiB, 'less'),
    load('p50Ms', 'p50 ms', 1, (run) => run.latencyMs?.p50, 'less'),
    load('p95Ms', 'p95 ms', 1, (run) => run.latencyMs?.p95, 'less'),
    load('p99Ms', 'p99 ms', 1, (run) => run.latencyMs?.p99, 'less'),
    load('maxMs', 'max ms', 1, (run) => run.latencyMs?.max),
  ],
  pair: [
    pair('perSecond', 'messages/s', 0, ({ ours }) => ours.perSecond, 'more'),
    pair('againstPerSecond', 'against/s', 0, ({ against }) => against.perSecond),
    pair('ratio', 'ratio', 2, ({ ratio }) => ratio, 'more', 'ratio'),
    pair('serverCpuUs', 'server CPU us', 2, ({ ours }) => ours.serverCpuUs, 'less'),
    pair('againstCpuUs', 'against CPU us', 2, ({ against }) => against.serverCpuUs),
    pair('cpuRatio', 'CPU ratio', 2, ({ cpuRatio }) => cpuRatio, 'less', 'ratio'),
    pair('residentMiB', 'RSS MiB', 0, ({ ours }) => ours.residentMiB),
    pair('againstResidentMiB', 'against RSS MiB', 0, ({ against }) => against.residentMiB),
    pair('besidePerSecond', 'beside/s', 1, ({ beside }) => beside?.perSecond),
  ],
  memory: [
    memory('connections', 'connections', 0, (run) => run.connections),
    memory('idleKb', 'idle KB', 2, (run) => run.idleKb, 'less', 'ratio'),
    memory('afterLineKb', 'after a line KB', 2, (run) => run.afterLineKb, 'less', 'ratio'),
    memory('noneMiB', 'RSS none MiB', 1, (run) => run.noneMiB),
    memory('idleMiB', 'RSS idle MiB', 1, (run) => run.idleMiB),
    memory('afterLineMiB', 'RSS after a line MiB', 1, (run) => run.afterLineMiB),
  ],
  idle: [
    idle('connections', 'connections', 0, (run) => run.connections),
    idle('onePercent', 'one process %', 2, ({ one }) => one.silentPercent, 'less'),
    idle('oneNonePercent', 'without any %', 2, ({ one }) => one.nonePercent, 'less'),
    idle('twoPercent', 'two processes %', 2, ({ two }) => two.silentPercent, 'less'),
    idle('twoNonePercent', 'without any %', 2, ({ two }) => two.nonePercent, 'less'),
  ],
  spool: [
    spool('upPerSecond', 'up/s', 0, ({ up }) => up.perSecond, 'more'),
    spool('downPerSecond', 'down/s', 0, ({ down }) => down.perSecond, 'more'),
    spool('ratio', 'ratio', 2, ({ ratio }) => ratio, 'more', 'ratio'),
    spool('upCpuUs', 'up CPU us', 2, ({ up }) => up.serverCpuUs, 'less'),
    spool('downCpuUs', 'down CPU us', 2, ({ down }) => down.serverCpuUs, 'less'),
    spool('residentMiB', 'down RSS MiB', 0, ({ down }) => down.residentMiB, 'less'),
    spool('pacedPerSecond', 'paced/s', 0, ({ pacedPerSecond }) => pacedPerSecond),
    spool('upP50Ms', 'up p50 ms', 1, ({ up }) => up.storedMs.p50, 'less'),
    spool('upP99Ms', 'up p99 ms', 1, ({ up }) => up.storedMs.p99, 'less'),
    spool('p50Ms', 'down p50 ms', 1, ({ down }) => down.storedMs.p50, 'less'),
    spool('p99Ms', 'down p99 ms', 1, ({ down }) => down.storedMs.p99, 'less'),
    spool('maxMs', 'down max ms', 1, ({ down }) => down.storedMs.max),
  ],
  drain: [
    drain('backlog', 'backlog', 0, (run) => run.backlog),
    drain('seconds', 'seconds', 2, (run) => run.seconds),
    drain('perSecond', 'drained/s', 0, (run) => run.perSecond, 'more'),
    drain('arrivingPerSecond', 'arriving/s', 0, (run) => run.arrivingPerSecond),
    drain('times', 'times', 1, (run) => run.times, 'more', 'ratio'),
    drain('waitMs', 'wait ms', 0, (run) => run.waitMs),
    drain('serverCpuUs', 'server CPU us', 2, (run) => run.serverCpuUs, 'less'),
    drain('residentMiB', 'RSS MiB', 0, (run) => run.residentMiB, 'less'),
    drain('p50Ms', 'p50 ms', 1, ({ storedMs }) => storedMs.p50, 'less'),
    drain('p99Ms', 'p99 ms', 1, ({ storedMs }) => storedMs.p99, 'less'),
  ],
  storm: [
    storm('devices', 'devices', 0, (run) => run.devices),
    storm('connectedSeconds', 'connected s', 2, (run) => run.connectedSeconds, 'less'),
    storm('toldSeconds', 'told s', 2, (run) => run.toldSeconds, 'less'),
    storm('failed', 'failed', 0, (run) => run.failed),
    storm('bareToldSeconds', 'bare told s', 2, (run) => run.bareToldSeconds),
    storm(
      'bareMultiple',
      'multiple of bare',
      2,
      (run) => run.toldSeconds / run.bareToldSeconds,
      'less',
      'ratio',
    ),
    storm('beforeP50Ms', 'before p50 ms', 1, ({ beforeMs }) => beforeMs.p50),
    storm('beforeP99Ms', 'before p99 ms', 1, ({ beforeMs }) => beforeMs.p99),
    storm('p50Ms', 'during p50 ms', 1, ({ duringMs }) => duringMs.p50, 'less'),
    storm('p99Ms', 'during p99 ms', 1, ({ duringMs }) => duringMs.p99, 'less'),
    storm('readyzMs', 'readyz max ms', 0, (run) => run.readyzMs, 'less'),
    storm('refusedMs', 'refuses after ms', 0, (run) => run.refusedMs, 'less'),
    storm('exitSeconds', 'exits after s', 2, (run) => run.exitSeconds, 'less'),
    storm('exitCode', 'exit code', 0, (run) => run.exitCode),
  ],
  'storm-many': [
    stormMany('devices', 'devices', 0, (run) => run.devices),
    stormMany('connectedSeconds', 'connected s', 2, (run) => run.connectedSeconds, 'less'),
    stormMany('toldSeconds', 'told s', 2, (run) => run.toldSeconds, 'less'),
    stormMany('failed', 'failed', 0, (run) => run.failed),
    stormMany('perSecond', 'then messages/s', 0, (run) => run.perSecond),
    stormMany('p50Ms', 'p50 ms', 1, ({ storedMs }) => storedMs.p50, 'less'),
    stormMany('p99Ms', 'p99 ms', 1, ({ storedMs }) => storedMs.p99, 'less'),
    stormMany('maxMs', 'max ms', 1, ({ storedMs }) => storedMs.max),
  ],
  tls: [
    tls('handshakes', 'handshakes/s a core', 0, (run) => run.handshakes.tls13.gateway, 'more'),
    tls('bareHandshakes', 'bare', 0, (run) => run.handshakes.tls13.bare),
    tls('haproxyHandshakes', 'HAProxy', 0, (run) => run.handshakes.tls13.haproxy),
    tls('handshakeRatio', 'ratio', 2, (run) => ratioOf(run.handshakes.tls13), 'more', 'ratio'),
    tls('handshakes12', 'TLS 1.2', 0, (run) => run.handshakes.tls12.gateway, 'more'),
    tls('bareHandshakes12', 'bare', 0, (run) => run.handshakes.tls12.bare),
    tls('haproxyHandshakes12', 'HAProxy', 0, (run) => run.handshakes.tls12.haproxy),
    tls('handshakeRatio12', 'ratio', 2, (run) => ratioOf(run.handshakes.tls12), 'more', 'ratio'),
    tls('idleKb', 'idle KB', 1, (run) => run.idleKb.gateway, 'less', 'ratio'),
    tls('bareIdleKb', 'bare', 1, (run) => run.idleKb.bare),
    tls('haproxyIdleKb', 'HAProxy', 1, (run) => run.idleKb.haproxy),
    tls('idleOverKb', 'over bare', 1, (run) => run.idleKb.gateway - run.idleKb.bare),
    tls('afterLineKb', 'after a line KB', 1, (run) => run.afterLineKb.gateway, 'less', 'ratio'),
    tls('bareAfterLineKb', 'bare', 1, (run) => run.afterLineKb.bare),
    tls('haproxyAfterLineKb', 'HAProxy', 1, (run) => run.afterLineKb.haproxy),
    tls('overKb', 'over bare', 1, (run) => run.afterLineKb.gateway - run.afterLineKb.bare),
    tls('serverCpuUs', 'CPU us, 50 lines', 2, ({ batch }) => batch.ours.serverCpuUs, 'less'),
    tls('plainCpuUs', 'plain', 2, ({ batch }) => batch.against.serverCpuUs),
    tls('cpuRatio', 'ratio', 2, ({ batch }) => batch.cpuRatio, 'less', 'ratio'),
    tls('singleCpuUs', 'CPU us, 1 line', 2, ({ single }) => single.ours.serverCpuUs, 'less'),
    tls('singlePlainCpuUs', 'plain', 2, ({ single }) => single.against.serverCpuUs),
    tls('singleCpuRatio', 'ratio', 2, ({ single }) => single.cpuRatio, 'less', 'ratio'),
  ],
  start: [
    start('firstLineMs', 'first line ms', 0, (run) => run.firstLineMs, 'less'),
    start('emptyMs', 'empty Node ms', 0, (run) => run.emptyMs),
    start('times', 'times', 1, (run) => run.firstLineMs / run.emptyMs, 'less', 'ratio'),
  ],
  'after-start': [
    afterStart('processes', 'processes', 0, (run) => run.processes),
    afterStart('pssMiB', 'PSS MiB', 1, (run) => run.pssMiB, 'less', 'ratio'),
    afterStart('emptyPssMiB', 'empty', 1, (run) => run.emptyPssMiB),
    afterStart('rssMiB', 'RSS MiB', 1, (run) => run.rssMiB, 'less', 'ratio'),
    afterStart('emptyRssMiB', 'empty', 1, (run) => run.emptyRssMiB),
  ],
};

export const EXPLANATIONS: Readonly<Record<Kind, string>> = {
  load: `CPU: user and system time of the whole process, a message. multiple: server CPU divided by the CPU of JSON.parse for
the same lines, measured on the quiet machine just before and after; multiple busy: the same with JSON.parse measured in
the same seconds, beside the running server (docs/decisions/0017).`,
  pair: `Two servers in turns, each with its own load. ratio: messages a second of the first divided by that of the second;
CPU: user and system time of all processes of a server, a message; CPU ratio: the first divided by the second.`,
  memory: `KB: resident memory of the server for each connection, in 1,000 bytes, less that without connections, after at
least 15 s of rest; no garbage collection is forced. idle: connected and silent; after a line: each has identified and
sent one line.`,
  idle: `%: of a core, user and system time of all processes of the gateway over 20 s, after 30 s of rest, with silent
connections that have identified, and without any; two processes: with the first process, which serves no device.`,
  spool: `up, down: confirmed messages with Kafka and without it; ratio: down divided by up. CPU: user and system time of the
server, a message. ms: from the due time of a line to its \`stored\`, at the paced rate.`,
  drain: `drained: confirmed by Kafka, from the spool and from arriving messages, until the spool is empty; times: drained
divided by arriving. wait: from Kafka's return to its first confirmation. ms: from the due time of an arriving line to
its \`stored\`.`,
  storm: `connected, told: from the first connect until the last device had a connection, and until the last was told
\`identified\`; failed: devices that were never told, or later than 60 s; bare: the same devices at two processes of a Node
server that only accepts and answers, without the small writes. ms: from the due time of a small write of the
others to its \`stored\`, before the devices came and until all were told. readyz: its slowest answer meanwhile. Then a second storm,
and SIGTERM in it: until new connections are refused, and until the gateway has ended.`,
  'storm-many': `connected, told, failed: as above. Then four devices of five send a message each, in turn; ms: from the due time of
a message to its \`stored\`.`,
  tls: `handshakes: full ones with P-256, divided by the CPU seconds that the server used, with TLS 1.3 and then with TLS 1.2;
bare: a TLS server of the same Node that reads and throws away; HAProxy: one thread, before a plain server. KB: resident
memory for each of 2,000 TLS 1.3 connections, in 1,000 bytes, after the handshake, and after each has identified and sent
a line. CPU us: of the gateway, a message, from 100 devices with TLS and then plain, both at 0.7 of the full speed of the
slower, with 50 lines and with one line a write.`,
  start: `first line: from the start of the first process until a device that tries to connect every 3 ms has its answer to
identify, with one server process for each core. empty Node: from the start of an empty program to its end, median of five.`,
  'after-start': `Memory of the first process and of one server process for each core, together, 5 s after the gateway is
ready. PSS counts what these processes share once, as if nothing else ran on the machine. empty: as many Node processes
that run nothing.`,
};

const ratioOf = ({ gateway, bare }: OfServers): number => gateway / bare;

/** The values of the runs that have this figure. */
export function valuesOf({ value }: Column, runs: readonly Figures[]): number[] {
  return runs.flatMap((run) => value(run) ?? []);
}

/** @throws RangeError if this kind has no figure of that name */
export function columnOf(kind: Kind, key: string): Column {
  const found = COLUMNS[kind].find((column) => column.key === key);
  if (found === undefined) {
    const known = COLUMNS[kind].map((column) => column.key).join(', ');
    throw new RangeError(`there is no figure ${key}; there are ${known}`);
  }
  return found;
}

function columns<K extends Kind>(kind: K) {
  return (
    key: string,
    head: string,
    digits: number,
    value: (run: FiguresOf<K>) => number | undefined,
    better?: 'more' | 'less',
    unit?: 'ratio',
  ): Column => ({
    key,
    head,
    digits,
    value: (run) => (isOf(kind, run) ? value(run) : undefined),
    ...(better && { better }),
    ...(unit && { isRatio: true }),
  });
}

function isOf<K extends Kind>(kind: K, run: Figures): run is FiguresOf<K> {
  return run.kind === kind;
}
