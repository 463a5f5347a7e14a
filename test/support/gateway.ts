// The real gateway inside the test's process, on a free port and without Kafka unless the test names one: then
// accepted records stay unconfirmed in memory, and snapshot().records.accepted counts them.
import { pino } from 'pino';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { type Addresses, type App, createApp, type StopResult } from '../../src/app.ts';
import { loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/settings.ts';

const DEFAULTS = {
  TCP_HOST: '127.0.0.1',
  TCP_PORT: '0',
  HTTP_PORT: '',
  KAFKA_BROKERS: '',
  STATS_INTERVAL: '0',
  // Without Kafka nothing is ever confirmed, so a stop takes all of it.
  SHUTDOWN_TIMEOUT: '200ms',
};

export interface LogLine {
  readonly level: number;
  readonly msg: string;
  readonly [field: string]: unknown;
}

export interface Gateway {
  readonly app: App;
  readonly addresses: Addresses;
  /** Of the TCP listener. */
  readonly port: number;
  /** What was logged so far, from level debug on. */
  readonly log: readonly LogLine[];
  snapshot(): Snapshot;
  /** May be called twice. */
  stop(): Promise<StopResult>;
}

export type Env = Readonly<Record<string, string>>;

/** @throws Error with every problem where the settings are refused */
export function testSettings(env: Env = {}): Settings {
  const loaded = loadSettings({ env: { ...DEFAULTS, ...env } });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded.settings;
}

/** Its caller stops it, in a `finally` or `t.after`. */
export async function startGateway(env: Env = {}): Promise<Gateway> {
  const lines: LogLine[] = [];
  const log = pino({ level: 'debug' }, { write: (line: string) => lines.push(JSON.parse(line) as LogLine) });
  const app = createApp(testSettings(env), { log, version: 'test' });
  const addresses = await app.start();
  let stopped: Promise<StopResult> | undefined;
  const stop = () => {
    stopped ??= app.stop();
    return stopped;
  };
  return {
    app,
    addresses,
    port: addresses.tcp.port,
    log: lines,
    snapshot: () => app.snapshot(),
    stop,
  };
}
