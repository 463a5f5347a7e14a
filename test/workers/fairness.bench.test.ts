// What well-behaved devices notice of one that sends as fast as it can, and of many that send only line feeds. The
// attackers have a thread of their own, and share the cores with the gateway. So the devices are also measured while the
// same attack goes to a sink that does nothing (docs/decisions/0029). `npm run attack` does it with Kafka.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { SinkCalls } from '../../bench/attack/sink-process.ts';
import { Child } from '../../load/processes/child.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { waitFor } from '../support/wait.ts';
import type { Flood } from './flood-thread.ts';

const SINK = new URL('../../bench/attack/sink-process.js', import.meta.url);
const GOOD_DEVICES = 5;
const ROUNDS = 50;
const EVERY_MS = 25;
const MAX_P99_MS = 20;

const metrics = (data: string) => `{"type":"metrics","data":${data}}\n`;
const fields = (count: number) =>
  `{${Array.from({ length: count }, (_, index) => `"${index.toString(36)}":1`).join(',')}}`;
const SMALL = metrics('{"temperature":21.5}');
const FULL = metrics(`{"a":"${'x'.repeat(1000)}","b":"${'y'.repeat(1000)}"}`);
const LONG = metrics(
  `[${Array(900).fill('{"temperature":21.5,"humidity":60,"station":"roof-2"}').join(',')}]`,
);
const TINY_FIELDS = metrics(fields(9000));

const FLOODS: Record<string, Omit<Flood, 'port'>> = {
  'one device with small lines': { connections: 1, first: IDENTIFY, text: SMALL.repeat(1000), everyMs: 0 },
  'one device with long strings': { connections: 1, first: IDENTIFY, text: FULL.repeat(30), everyMs: 0 },
  'one device with arrays of 900 readings': { connections: 1, first: IDENTIFY, text: LONG, everyMs: 0 },
  'one device with small lines that are refused': {
    connections: 1,
    first: IDENTIFY,
    text: '[1]\n'.repeat(10_000),
    everyMs: 0,
  },
  'one device with 64 KB of tiny fields a line': {
    connections: 1,
    first: IDENTIFY,
    text: TINY_FIELDS,
    everyMs: 0,
  },
  '30 that send line feeds before identify': {
    connections: 30,
    first: '',
    text: '\n'.repeat(64),
    everyMs: 10,
  },
  '30 that send line feeds after it': {
    connections: 30,
    first: IDENTIFY,
    text: '\n'.repeat(64),
    everyMs: 10,
  },
};

interface P99 {
  readonly keepalive: number;
  readonly stored: number;
}

for (const [name, flood] of Object.entries(FLOODS))
  it(`${name}: others have at most twice their p99, or ${MAX_P99_MS} ms`, async (t) => {
    const { child, port } = await startProcess(t);
    const rest = await p99Of(port);
    const beside = await p99BesideSink(t, flood, port);
    const limits = {
      keepalive: Math.max(MAX_P99_MS, 2 * rest.keepalive, 2 * beside.keepalive),
      stored: Math.max(MAX_P99_MS, 2 * rest.stored, 2 * beside.stored),
    };
    const stop = await start(t, { ...flood, port });
    await sleep(300);
    const runs: P99[] = [];
    // The p99 of 250 answers is the third worst of them. If one run is above the limit, the median of three decides.
    do {
      await ask(child);
      const p99 = await p99Of(port);
      runs.push(p99);
      const { lagP99Ms, lagMaxMs, lines } = await ask(child);
      t.diagnostic(
        `keepalive ${rest.keepalive}, ${beside.keepalive} beside a sink, to ${p99.keepalive} ms; ` +
          `stored ${rest.stored}, ${beside.stored}, to ${p99.stored} ms; ` +
          `${lines} lines, turns p99 ${lagP99Ms.toFixed(1)} ms, max ${lagMaxMs.toFixed(1)} ms`,
      );
    } while (runs.length === 2 || (runs.length === 1 && !isWithin(runs, limits)));
    await stop();
    assert.ok(isWithin(runs, limits), `${JSON.stringify(runs)}, at most ${JSON.stringify(limits)}`);
  });

function isWithin(runs: readonly P99[], limits: P99): boolean {
  return (['keepalive', 'stored'] as const).every((what) => {
    const sorted = runs.map((run) => run[what]).sort((a, b) => a - b);
    return (sorted[Math.floor(sorted.length / 2)] as number) <= limits[what];
  });
}

interface Figures {
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
  readonly lines: number;
}

async function startProcess(t: TestContext): Promise<{ child: ChildProcess; port: number }> {
  const child = fork(new URL('confirming-process.js', import.meta.url), {
    env: { ...process.env, WORKERS: '64' },
  });
  t.after(() => child.kill());
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port };
}

/** The figures since the last question. */
async function ask(child: ChildProcess): Promise<Figures> {
  child.send('figures');
  const [figures] = (await once(child, 'message')) as [Figures];
  return figures;
}

/** The p99 of the gateway's devices while the attack goes to a sink. */
async function p99BesideSink(t: TestContext, flood: Omit<Flood, 'port'>, port: number): Promise<P99> {
  const sink = new Child<SinkCalls>(SINK, { signal: t.signal });
  try {
    const stop = await start(t, { ...flood, port: await sink.call('listen', null) });
    await sleep(300);
    const p99 = await p99Of(port);
    await stop();
    return p99;
  } finally {
    await sink.stop();
  }
}

/** The p99 of round trips in milliseconds. */
async function p99Of(port: number): Promise<P99> {
  const times = { keepalive: [] as number[], stored: [] as number[] };
  await Promise.all(
    Array.from({ length: GOOD_DEVICES }, async (_, index) => {
      const device = await Device.identified(port);
      for (let seq = 0; seq < ROUNDS; seq++) {
        await sleep(EVERY_MS * (0.5 + ((index * 7 + seq) % 10) / 10));
        const startMs = performance.now();
        device.send(`{"type":"keepalive"}\n{"type":"metrics","seq":${seq},"data":{"a":1}}\n`);
        for (let awaited = 2; awaited > 0; awaited--) {
          const { status } = await device.read();
          times[status === 'alive' ? 'keepalive' : 'stored'].push(performance.now() - startMs);
        }
      }
      device.destroy();
    }),
  );
  return { keepalive: percentile(times.keepalive), stored: percentile(times.stored) };
}

function percentile(times: number[]): number {
  times.sort((a, b) => a - b);
  return Math.round((times[Math.floor(0.99 * times.length)] ?? 0) * 10) / 10;
}

/** Resolves once all attackers are connected. Returns what ends them, and says how many bytes they wrote. */
async function start(t: TestContext, flood: Flood): Promise<() => Promise<number>> {
  const thread = new Worker(new URL('flood-thread.js', import.meta.url), { workerData: flood });
  t.after(() => thread.terminate());
  let connected = false;
  let written: number | undefined;
  thread.on('message', (message: unknown) => {
    if (message === 'connected') connected = true;
    else written = Number(message);
  });
  await waitFor('the attackers', () => connected);
  return async () => {
    thread.postMessage('stop');
    const bytes = await waitFor('the bytes written', () => written);
    await thread.terminate();
    return bytes;
  };
}
