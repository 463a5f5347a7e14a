// A real admin port whose gateway is made up: a token, sample figures, and no process to ask.
import type { TestContext } from 'node:test';
import type { Controls } from '../../src/admin/controls.ts';
import { createHttpServer, type HttpServer, type HttpServerOptions } from '../../src/admin/http-server.ts';
import { Live } from '../../src/admin/live/live.ts';
import { Ticker } from '../../src/admin/live/ticker.ts';
import { Inspection } from '../../src/inspect/inspection.ts';
import { type LogLine, recordedLog } from '../support/log.ts';
import { sampleSnapshot } from './sample-snapshot.ts';

export const TOKEN = 'correct-horse-battery';
export const BEARER = { authorization: `Bearer ${TOKEN}` };

const CONTROLS: Controls = {
  drain() {},
  isDraining: () => false,
  logLevel: () => 'info',
  setLogLevel() {},
};

export interface AdminPort {
  readonly server: HttpServer;
  readonly port: number;
  /** http://127.0.0.1 with the port. */
  readonly url: string;
  readonly lines: readonly LogLine[];
}

export function adminOptions(): Omit<HttpServerOptions, 'log'> {
  return {
    host: '127.0.0.1',
    port: 0,
    token: () => TOKEN,
    snapshot: () => sampleSnapshot(),
    controls: CONTROLS,
    inspection: new Inspection([]),
    live: new Live(new Ticker(() => sampleSnapshot()), () => []),
    staticFiles: () => Promise.resolve(new Map()),
  };
}

export async function adminPort(
  t: TestContext,
  options: Partial<HttpServerOptions> = {},
): Promise<AdminPort> {
  const { log, lines } = recordedLog();
  const server = createHttpServer({ ...adminOptions(), log, ...options });
  const { port } = await server.start();
  t.after(() => server.close());
  return { server, port, url: `http://127.0.0.1:${port}`, lines };
}
