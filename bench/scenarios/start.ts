// Measures the start with the default number of processes: the time until a device that keeps trying has its first line
// accepted, and the memory of all processes 5 s later. Beside each, empty Node processes in the same run.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from '../../scripts/kafka/ports.ts';
import { nowUs } from '../now-us.ts';
import type { BenchOptions } from '../servers/loaded-gateways.ts';
import { type Memory, memoryOf } from '../servers/memory.ts';
import { startOwnGateway } from '../servers/own-gateway.ts';
import { median } from '../statistics.ts';

export interface StartFigures {
  readonly kind: 'start';
  readonly firstLineMs: number;
  /** From spawn to end, of a Node that runs nothing. */
  readonly emptyMs: number;
  readonly windowUs: readonly [from: number, to: number];
}

export interface AfterStartFigures {
  readonly kind: 'after-start';
  readonly processes: number;
  /** Of all processes together; memory that several share counts once, whoever else runs the same files. */
  readonly pssMiB: number;
  readonly rssMiB: number;
  /** As many empty Node processes. */
  readonly emptyPssMiB: number;
  readonly emptyRssMiB: number;
  readonly windowUs: readonly [from: number, to: number];
}

const EMPTY_STARTS = 5;
const TRY_EVERY_MS = 3;
const START_TIMEOUT_MS = 30_000;
const REST_MS = 5_000;
const LINE = '{"type":"identify","device_id":"first","zipcode":"12345","city":"Ulm"}\n';

/** Rejects if the gateway does not answer, with the end of its log. */
export async function measureStart(options: BenchOptions): Promise<StartFigures> {
  const emptyMs: number[] = [];
  for (let n = 0; n < EMPTY_STARTS; n++) emptyMs.push(await emptyStartMs(options));
  const port = await freePort();
  const fromUs = nowUs();
  const fromMs = performance.now();
  const [gateway, answeredMs] = await Promise.all([
    startGateway(options, { TCP_PORT: String(port) }),
    firstAnswerMs(port, options.signal),
  ]);
  const windowUs = [fromUs, nowUs()] as const;
  await gateway.stop();
  return { kind: 'start', firstLineMs: answeredMs - fromMs, emptyMs: median(emptyMs), windowUs };
}

export async function measureAfterStart(options: BenchOptions): Promise<AfterStartFigures> {
  const fromUs = nowUs();
  const gateway = await startGateway(options, {});
  let pids: readonly number[];
  let ours: Memory;
  try {
    await sleep(REST_MS, undefined, { signal: options.signal });
    pids = gateway.server.pids;
    ours = memoryOf(pids);
  } finally {
    await gateway.stop();
  }
  const empty = await emptyMemory(options, pids.length);
  return {
    kind: 'after-start',
    processes: pids.length,
    pssMiB: ours.sharedOnceMiB,
    rssMiB: ours.residentMiB,
    emptyPssMiB: empty.sharedOnceMiB,
    emptyRssMiB: empty.residentMiB,
    windowUs: [fromUs, nowUs()],
  };
}

/** `--set` and the default of TCP_PROCESSES, which the bench's servers usually do not have. */
function startGateway({ bootstrap, node, settings }: BenchOptions, own: Readonly<Record<string, string>>) {
  return startOwnGateway({
    bootstrap,
    name: 'start',
    node,
    settings: { TCP_PROCESSES: '0', ...settings, ...own },
  });
}

async function emptyStartMs({ node = process.execPath, signal }: BenchOptions): Promise<number> {
  const fromMs = performance.now();
  const child = spawn(node, ['-e', '0'], { stdio: 'ignore', signal });
  await once(child, 'exit');
  return performance.now() - fromMs;
}

async function emptyMemory(
  { node = process.execPath, signal }: BenchOptions,
  processes: number,
): Promise<Memory> {
  const idle = 'setInterval(() => {}, 1e6)';
  const children: ChildProcess[] = Array.from({ length: processes }, () =>
    spawn(node, ['-e', idle], { stdio: 'ignore', signal, killSignal: 'SIGKILL' }),
  );
  try {
    await sleep(REST_MS / 2, undefined, { signal });
    return memoryOf(children.flatMap(({ pid }) => pid ?? []));
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** When the answer to an identify came, to a device that tries to connect every 3 ms. */
async function firstAnswerMs(port: number, signal: AbortSignal): Promise<number> {
  const deadlineMs = performance.now() + START_TIMEOUT_MS;
  while (performance.now() < deadlineMs) {
    if (await isAnswered(port)) return performance.now();
    await sleep(TRY_EVERY_MS, undefined, { signal });
  }
  throw new Error(`no line was accepted within ${START_TIMEOUT_MS} ms`);
}

function isAnswered(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1', () => socket.write(LINE));
    socket.on('error', () => {});
    socket.on('close', () => resolve(false));
    socket.on('data', (bytes) => {
      resolve(bytes.toString().includes('identified'));
      socket.destroy();
    });
  });
}
