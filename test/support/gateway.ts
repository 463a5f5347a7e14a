// The real gateway inside the test's process, on a free port and with a spool of its own. It has no Kafka unless the
// test names one: accepted records go to the spool, and snapshot().records.accepted counts them.
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { chosenVersion } from '../../scripts/kafka/version.ts';
import type { Snapshot } from '../../src/admin/snapshot.ts';
import { createApp, type SingleProcessApp } from '../../src/app.ts';
import { loadSettings } from '../../src/config/load.ts';
import type { Settings } from '../../src/config/settings.ts';
import type { Addresses } from '../../src/gateway/lifecycle.ts';
import type { StopResult } from '../../src/gateway/stop-result.ts';
import { tlsForm } from './form.ts';
import { type LogLine, recordedLog } from './log.ts';
import { recordDevicePorts, wrapClasses } from './traffic/device-ports.ts';

const DEFAULTS = {
  TCP_HOST: '127.0.0.1',
  TCP_PORT: '0',
  HTTP_PORT: '',
  KAFKA_BROKERS: '',
  KAFKA_REPLICATION_FACTOR: String(chosenVersion().replicas),
  STATS_INTERVAL: '0',
  SHUTDOWN_TIMEOUT: '2s',
};

export interface Gateway {
  readonly app: SingleProcessApp;
  readonly addresses: Addresses;
  /** That of the form (form.ts): without TLS as a rule. 0 if there is none. */
  readonly port: number;
  /** Of the port with TLS; 0 if there is none. */
  readonly tlsPort: number;
  /** All log lines so far, from level debug on. */
  readonly log: readonly LogLine[];
  snapshot(): Snapshot;
  /** May be called twice. */
  stop(): Promise<StopResult>;
}

export type Env = Readonly<Record<string, string>>;

/** Lines of a warning or worse, but for those about the place of the tests. */
export function warningsOf({ log }: Pick<Gateway, 'log'>): Gateway['log'] {
  const ofPlace = ['kafka_brokers_empty', 'spool_in_memory'];
  return log.filter(({ level, event }) => level >= 40 && !ofPlace.includes(event));
}

/** @throws Error with every problem of the settings */
export function testSettings(env: Env = {}): Settings {
  const loaded = loadSettings({ env: { ...DEFAULTS, ...env } });
  if (!loaded.ok) throw new Error(loaded.problems.join('\n'));
  return loaded.settings;
}

/** A gateway that is stopped after the test. */
export async function gatewayFor(t: TestContext, env?: Env): Promise<Gateway> {
  const gateway = await startGateway(env);
  t.after(() => gateway.stop());
  return gateway;
}

/** The caller stops it, in a `finally` or `t.after`. */
export async function startGateway(env: Env = {}): Promise<Gateway> {
  const { log, lines } = recordedLog();
  // A test that starts a second gateway on the same spool names the directory and removes it itself.
  const ownSpool = env.SPOOL_DIR === undefined ? mkdtempSync(join(tmpdir(), 'sluice-test-')) : undefined;
  const form = tlsForm();
  const tls = form && { TCP_TLS_PORT: '0', TCP_TLS_CERT: form.cert, TCP_TLS_KEY: form.key };
  const settings = testSettings({ ...tls, ...(ownSpool && { SPOOL_DIR: ownSpool }), ...env });
  wrapClasses();
  const app = createApp(settings, { log, version: 'test' });
  const addresses = await app.start();
  const forgetPorts = recordDevicePorts(settings, addresses);
  let stopped: Promise<StopResult> | undefined;
  const stop = () => {
    stopped ??= app.stop().finally(() => {
      forgetPorts();
      return ownSpool && rm(ownSpool, { recursive: true, force: true });
    });
    return stopped;
  };
  return {
    app,
    addresses,
    port: (form === undefined ? addresses.tcp : addresses.tls)?.port ?? 0,
    tlsPort: addresses.tls?.port ?? 0,
    log: lines,
    snapshot: () => app.snapshot(),
    stop,
  };
}
