// npm run latency-test: round trips of keepalives and of confirmed messages, at rest and under load, against a
// gateway that runs or one of its own with its own Kafka.
import { writeFile } from 'node:fs/promises';
import { cpus } from 'node:os';
import { Command } from 'commander';
import { count, duration, rate, target } from '../../load/command/parsers.ts';
import type { Target } from '../../load/plan.ts';
import type { LatencySummary } from '../../load/report/histogram.ts';
import { runLoad } from '../../load/run.ts';
import { ownOrGivenKafka } from '../../scripts/kafka/own-or-given.ts';
import { runCommand } from '../command/run-command.ts';
import { ordinaryPlan } from '../load-plan.ts';
import { table } from '../report/report.ts';
import { startOwnGateway } from '../servers/own-gateway.ts';
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
/** So that compiled code and filled caches are measured, not the first steps. */
const WARM_UP_COUNT = 200;
const LOAD_WARM_UP_MS = 3_000;
const LOAD_SPARE_MS = 5_000;

const interrupt = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => interrupt.abort());

const program = new Command('npm run latency-test --')
  .description('Round trips of keepalives and confirmed messages of one device, at rest and under load.')
  .option('--target <host:port>', 'a gateway that runs (default: one of its own, with its own Kafka)', target)
  .option('--count <count>', 'round trips of each kind', count, 1000)
  .option('--interval <duration>', 'from one to the next', duration, 10)
  .option('--rate <messages/s>', 'of the load', rate, 20_000)
  .option('--connections <count>', 'of the load', count, 100)
  .option('--json <file>', 'write the figures there too')
  .action(main);

await runCommand(program, interrupt.signal, []);

async function main(options: Options): Promise<void> {
  const own = options.target === undefined ? await ownGateway() : undefined;
  try {
    const at = options.target ?? { host: '127.0.0.1', port: own?.port ?? 0 };
    const rows = [...(await atRest(at, options)), ...(await underLoad(at, options))];
    const machine = `${cpus().length} cores, Node ${process.version}, ${process.platform}`;
    const load = `${options.rate} messages/s over ${options.connections} connections`;
    console.log(`${machine}; load: ${load}\n\n${rowsText(rows)}`);
    if (options.json !== undefined) {
      const file = { at: new Date().toISOString(), machine, load, rows };
      await writeFile(options.json, `${JSON.stringify(file, null, 2)}\n`);
    }
  } finally {
    await own?.stop();
  }
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
    // A load that cannot begin rejects before.
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

async function ownGateway(): Promise<{ port: number; stop(): Promise<void> }> {
  console.error('Starting a gateway ...');
  const kafka = await ownOrGivenKafka();
  try {
    const { bootstrap } = kafka;
    const { server, stop } = await startOwnGateway({ bootstrap, name: 'latency' });
    return {
      port: server.tcpPort,
      stop: async () => {
        try {
          await stop();
        } finally {
          await kafka.stop();
        }
      },
    };
  } catch (error) {
    await kafka.stop();
    throw error;
  }
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
