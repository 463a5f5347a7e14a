// What well-behaved devices notice of one that sends as fast as it can, and of many that send only line feeds. The
// attackers have a thread of their own, and share the cores with the gateway. So the devices are also measured while the
// same attack goes to a sink that does nothing (docs/decisions/0029). `npm run attack` does it with Kafka.
import assert from 'node:assert/strict';
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { after, it, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import type { SinkCalls } from '../../bench/servers/sink-process.ts';
import { Child } from '../../load/processes/child.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { waitFor } from '../support/wait.ts';
import type { Flood } from './flood-thread.ts';

const SINK = new URL('../../bench/servers/sink-process.js', import.meta.url);
const GOOD_DEVICES = 5;
const ROUNDS = 50;
const EVERY_MS = 25;
const MAX_P99_MS = 20;

const metrics = (data: string) => `{"type":"metrics","data":${data}}\n`;
const fields = (count: number) =>
  `{${Array.from({ length: count }, (_, index) => `"${index.toString(36)}":1`).join(',')}}`;
const SMALL = metrics('{"temperature":21.5}');
const FULL = metrics(`{"a":"${'x'.repeat(1000)}","b":"${'y'.repeat(1000)}"}`);
const LARGE = metrics(
  `{${Array.from({ length: 60 }, (_, index) => `"f${index}":"${'v'.repeat(1000)}"`).join(',')}}`,
);
const LONG = metrics(
  `[${Array(900).fill('{"temperature":21.5,"humidity":60,"station":"roof-2"}').join(',')}]`,
);
const TINY_FIELDS = metrics(fields(9000));

interface Case extends Omit<Flood, 'port'> {
  /** Absent: records are confirmed whatever comes. */
  readonly kafkaTakesMs?: number;
}

const FLOODS: Record<string, Case> = {
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
  'one device of the same partition with 60 KB a line': {
    connections: 1,
    first: IDENTIFY,
    text: LARGE,
    everyMs: 0,
    // Less than the device sends.
    kafkaTakesMs: 8,
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

interface Gateway {
  readonly child: ChildProcess;
  readonly port: number;
  readonly rest: P99;
}

/** One for all floods on the same Kafka. By `kafkaTakesMs`. */
const gateways = new Map<number | undefined, Promise<Gateway>>();
after(async () => {
  for (const gateway of gateways.values()) (await gateway).child.kill();
});

// The p99 of 250 answers is the third worst of them, and a machine that has other work may have it for the time of one
// measurement. So if a run is above its limits, two of three decide. Each has limits of its own.
for (const [name, flood] of Object.entries(FLOODS))
  it(`${name}: others have at most twice their p99, or ${MAX_P99_MS} ms`, async (t) => {
    const gateway = await gatewayFor(flood);
    const above: string[] = [];
    for (let runs = 1; runs <= 3; runs++) {
      const problem = await attacked(t, flood, gateway);
      if (problem !== undefined) above.push(problem);
      if (runs > 2 * above.length) break;
      assert.ok(above.length < 2, above.join('; '));
    }
  });

/** Undefined if the devices noticed little. */
async function attacked(
  t: TestContext,
  flood: Case,
  { child, port, rest }: Gateway,
): Promise<string | undefined> {
  const stop = await start(t, { ...flood, port });
  await sleep(300);
  const before = await ask(child);
  const p99 = await p99Of(port);
  const { lagP99Ms, lagMaxMs, lines } = await ask(child);
  await stop();
  t.diagnostic(
    `keepalive ${rest.keepalive} to ${p99.keepalive} ms; stored ${rest.stored} to ${p99.stored} ms; ` +
      `${lines - before.lines} lines, turns p99 ${lagP99Ms.toFixed(1)} ms, max ${lagMaxMs.toFixed(1)} ms`,
  );
  const aboveOf = (limitOf: (what: keyof P99) => number) =>
    (['keepalive', 'stored'] as const).filter((what) => p99[what] > limitOf(what));
  const atRest = (what: keyof P99) => Math.max(MAX_P99_MS, 2 * rest[what]);
  if (aboveOf(atRest).length === 0) return undefined;
  // The sink can only raise a limit, so it is measured if that matters.
  const beside = await p99BesideSink(t, flood, port);
  t.diagnostic(`beside a sink: keepalive ${beside.keepalive}, stored ${beside.stored} ms`);
  const limitOf = (what: keyof P99) => Math.max(atRest(what), 2 * beside[what]);
  const above = aboveOf(limitOf);
  if (above.length === 0) return undefined;
  return above.map((what) => `${what} ${p99[what]} ms, at most ${limitOf(what)}`).join(', ');
}

interface Figures {
  readonly lagP99Ms: number;
  readonly lagMaxMs: number;
  readonly lines: number;
}

function gatewayFor({ kafkaTakesMs }: Case): Promise<Gateway> {
  const known = gateways.get(kafkaTakesMs);
  if (known !== undefined) return known;
  const starting = startGateway(kafkaTakesMs);
  gateways.set(kafkaTakesMs, starting);
  return starting;
}

async function startGateway(kafkaTakesMs: number | undefined): Promise<Gateway> {
  const kafka = kafkaTakesMs !== undefined && { KAFKA_TAKES_MS: `${kafkaTakesMs}` };
  const child = fork(new URL('confirming-process.js', import.meta.url), {
    env: { ...process.env, WORKERS: '64', ...kafka },
  });
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  return { child, port, rest: await p99Of(port) };
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
