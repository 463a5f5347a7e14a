// The command `npm run latency-test`: measures round trips of keepalives and of confirmed messages, at rest and under
// load, against a running gateway or one of its own.
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Command } from 'commander';
import { count, duration, rate, target } from '../../load/command/parsers.ts';
import type { Target } from '../../load/plan.ts';
import type { LatencySummary } from '../../load/report/histogram.ts';
import { runLoad } from '../../load/run.ts';
import { runCommand, withKafka } from '../command/run-command.ts';
import { ordinaryPlan } from '../load-plan.ts';
import { table } from '../report/report.ts';
import { withOwnGateway } from '../servers/own-gateway.ts';
import { type ProbeKind, probe } from './probe.ts';

interface Options {
  readonly target?: Target;
  readonly count: number;
  readonly interval: number;
  readonly rate: number;
  readonly connections: number;
  readonly json?: string;
}

interface Row {
  readonly what: ProbeKind;
  readonly when: 'at rest' | 'under load';
  readonly ms: LatencySummary;
}

const KINDS: readonly ProbeKind[] = ['keepalive', 'confirmed'];
/** Before the measurement, so that compiled code is measured. */
const WARM_UP_COUNT = 200;
const LOAD_WARM_UP_MS = 3_000;
const LOAD_SPARE_MS = 5_000;

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());

const program = new Command('npm run latency-test --')
  .description('Round trips of keepalives and confirmed messages of one device, at rest and under load.')
  .option('--target <host:port>', 'a running gateway (default: its own, with its own Kafka)', target)
  .option('--count <count>', 'round trips of each kind', count, 1000)
  .option('--interval <duration>', 'between two round trips', duration, 10)
  .option('--rate <messages/s>', 'of the load', rate, 20_000)
  .option('--connections <count>', 'of the load', count, 100)
  .option('--json <file>', 'also write the figures to this file')
  .action(main);

await runCommand(program, interrupt.signal, []);

async function main(options: Options): Promise<void> {
  if (options.target !== undefined) return measure(options.target, options);
  console.error('Starting a gateway ...');
  await withKafka(interrupt.signal, ({ bootstrap }) =>
    withOwnGateway({ bootstrap, name: 'latency' }, ({ server }) =>
      measure({ host: '127.0.0.1', port: server.tcpPort }, options),
    ),
  );
}

async function measure(at: Target, options: Options): Promise<void> {
  const rows = [...(await atRest(at, options)), ...(await underLoad(at, options))];
  const machine = `${cpus().length} cores, Node ${process.version}, ${process.platform}`;
  const load = `${options.rate} messages/s over ${options.connections} connections`;
  console.log(`${machine}; load: ${load}\n\n${rowsText(rows)}`);
  if (options.json === undefined) return;
  const file = { at: new Date().toISOString(), machine, load, rows };
  await writeFile(options.json, `${JSON.stringify(file, null, 2)}\n`);
}

async function atRest(at: Target, options: Options): Promise<Row[]> {
  for (const kind of KINDS) await probe({ ...at, kind, count: WARM_UP_COUNT, intervalMs: 5 });
  return probeAll(at, options, 'at rest');
}

async function underLoad(at: Target, options: Options): Promise<Row[]> {
  const probesMs = KINDS.length * options.count * options.interval;
  const { rate, connections } = options;
  const durationMs = LOAD_WARM_UP_MS + probesMs + LOAD_SPARE_MS;
  const plan = ordinaryPlan({ target: at, connections, rate, durationMs });
  const ended = new AbortController();
  const signal = AbortSignal.any([ended.signal, interrupt.signal]);
  const loading = runLoad(plan, { started: () => {} }, signal);
  try {
    const warm = new Promise((resolve) => setTimeout(resolve, LOAD_WARM_UP_MS));
    // If the load cannot begin, it rejects earlier.
    await Promise.race([warm, loading]);
    return await probeAll(at, options, 'under load');
  } finally {
    ended.abort();
    const { sentPerSecond, faults } = await loading;
    console.error(
      `the load sent ${Math.round(sentPerSecond)} messages/s; ${faults.join('; ') || 'no fault'}`,
    );
  }
}

async function probeAll(at: Target, { count, interval }: Options, when: Row['when']): Promise<Row[]> {
  const rows: Row[] = [];
  for (const what of KINDS) {
    interrupt.signal.throwIfAborted();
    rows.push({ what, when, ms: await probe({ ...at, kind: what, count, intervalMs: interval }) });
  }
  return rows;
}

function rowsText(rows: readonly Row[]): string {
  const head = ['round trip', 'when', 'count', 'p50 ms', 'p95', 'p99', 'p99.9', 'max'];
  return table(
    head,
    rows.map(({ what, when, ms }) => [
      what,
      when,
      String(ms.count),
      ...[ms.p50, ms.p95, ms.p99, ms.p999, ms.max].map((value) => value.toFixed(2)),
    ]),
  );
}
