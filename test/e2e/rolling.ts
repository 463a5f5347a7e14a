// A rolling restart with real sockets: devices of one gateway are told to go and come back to another one, when
// reconnect_after_ms says so. It counts how many leave and come back in each second.
import { connect } from 'node:net';
import type { TestContext } from 'node:test';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

export interface RollingResult {
  readonly exitCode: number | NodeJS.Signals;
  readonly leaving: Rates;
  readonly returning: Rates;
  /** Devices whose connection ended without `closing`, or that could not come back. */
  readonly failed: readonly string[];
}

export interface Rates {
  readonly count: number;
  readonly seconds: number;
  readonly mean: number;
  /** The most in any window of one second. */
  readonly peak: number;
}

const MAX_PER_ADDRESS = 4000;
/** Connections under way at once while the fleet connects for the first time. */
const AT_ONCE = 200;

export async function rollingRestart(
  t: TestContext,
  { devices, spread, bootstrap = '' }: { devices: number; spread: string; bootstrap?: string },
): Promise<RollingResult> {
  const env = { KAFKA_BROKERS: bootstrap, TCP_MAX_CONNECTIONS: String(2 * devices) };
  const former = await runGateway(t, temporaryDirectory(t), { ...env, SHUTDOWN_SPREAD: spread });
  const next = await runGateway(t, temporaryDirectory(t), env);
  const leftMs: number[] = [];
  const returnedMs: number[] = [];
  const failed: string[] = [];
  const numbers = Array.from({ length: devices }, (_, n) => n).values();
  const sockets = new Set<ReturnType<typeof connect>>();
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });

  /** Resolves when the device has identified. `closing` gets the delay. */
  const device = (n: number, port: number, closing: (reconnectAfterMs: number) => void) =>
    new Promise<void>((resolve, reject) => {
      const localAddress = `127.0.0.${101 + Math.floor(n / MAX_PER_ADDRESS)}`;
      const socket = connect({ host: '127.0.0.1', port, noDelay: true, localAddress });
      sockets.add(socket);
      let rest = '';
      let told = false;
      socket.on('connect', () =>
        socket.write(
          `{"type":"identify","zipcode":"${10_000 + (n % 1000)}","city":"x","device_id":"d${n}"}\n`,
        ),
      );
      socket.on('data', (bytes: Buffer) => {
        const lines = (rest + bytes.toString()).split('\n');
        rest = lines.pop() ?? '';
        for (const line of lines) {
          const reply = JSON.parse(line) as { status: string; reconnect_after_ms?: number };
          if (reply.status === 'identified') resolve();
          else if (reply.status === 'closing' && !told) {
            told = true;
            closing(reply.reconnect_after_ms ?? 0);
          } else failed.push(line);
        }
      });
      socket.on('end', () => socket.end());
      socket.on('error', (error) => reject(error));
      socket.on('close', () => {
        sockets.delete(socket);
        if (!told) reject(new Error(`device ${n}: the connection ended without closing`));
      });
    });

  const comeBack = async (n: number) => {
    await device(n, next.port, () => {});
    returnedMs.push(performance.now());
  };
  const fleet = async () => {
    for (const n of numbers)
      await device(n, former.port, (reconnectAfterMs) => {
        leftMs.push(performance.now());
        setTimeout(() => void comeBack(n).catch((error) => failed.push(String(error))), reconnectAfterMs);
      });
  };
  await Promise.all(Array.from({ length: AT_ONCE }, fleet));
  former.signal('SIGTERM');
  const exitCode = await former.exited();
  await waitFor('all are back', () => returnedMs.length + failed.length >= devices, 400_000);
  return { exitCode, leaving: ratesOf(leftMs), returning: ratesOf(returnedMs), failed };
}

function ratesOf(timesMs: readonly number[]): Rates {
  const sorted = timesMs.toSorted((a, b) => a - b);
  const seconds = ((sorted.at(-1) ?? 0) - (sorted[0] ?? 0)) / 1000;
  let peak = 0;
  for (let from = 0, to = 0; to < sorted.length; to++) {
    while ((sorted[to] ?? 0) - (sorted[from] ?? 0) >= 1000) from++;
    peak = Math.max(peak, to - from + 1);
  }
  return { count: sorted.length, seconds, mean: sorted.length / seconds, peak };
}

export function ratesText({ count, seconds, mean, peak }: Rates): string {
  return `${count} in ${seconds.toFixed(1)} s: ${mean.toFixed(0)} a second, at most ${peak} (${(peak / mean).toFixed(2)} times)`;
}
