// Two gateways behind HAProxy, as Compose runs them: the settings are those of docker-compose.yml with .env.local, the
// balancer's file is deploy/haproxy/haproxy.cfg. Only addresses and the Kafka are others. Each container is an address of
// loopback, so all have the same ports.
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse as parseDotenv } from 'dotenv';
import { composeModel, type Variables } from '../../scripts/deploy-check/compose-model.ts';
import { freePort } from '../../scripts/kafka/ports.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, GatewayProcess } from '../support/gateway-process.ts';
import { Balancer } from './balancer.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** From here HAProxy connects to addresses of loopback. */
const BALANCER = '127.0.0.1';
const ADDRESSES = ['127.0.0.2', '127.0.0.3'] as const;
export const TOKEN = 'a-token-for-the-tests-of-compose';

export interface Pair {
  /** Devices connect here. */
  readonly port: number;
  readonly tlsPort: number;
  /** Of plain lines. */
  readonly linesPort: number;
  readonly gateways: readonly [GatewayProcess, GatewayProcess];
  readonly balancer: Balancer;
}

/** @param own settings of both, over those of Compose @param config another file than that of the checkout */
export async function startPair(t: TestContext, own: Env, config?: string): Promise<Pair> {
  const port = await freePort();
  const tlsPort = await freePort();
  const linesPort = await freePort();
  const adminPort = await freePort();
  const ports = {
    TCP_PORT: String(port),
    TCP_LINES_PORT: String(linesPort),
    ...(own.TCP_TLS_CERT && { TCP_TLS_PORT: String(tlsPort) }),
  };
  const variables: Variables = {
    ...parseDotenv(readFileSync(join(ROOT, '.env.local'))),
    ...own,
    ...ports,
    HAPROXY_ADDRESS: BALANCER,
    HTTP_TOKEN: TOKEN,
  };
  const { services } = composeModel(join(ROOT, 'docker-compose.yml'), variables);
  const gateway = async (name: string, address: string) => {
    const directory = temporaryDirectory(t);
    const process = await GatewayProcess.reserve(directory, {
      ...services[name]?.environment,
      TCP_HOST: address,
      HTTP_HOST: address,
      HTTP_PORT: String(adminPort),
      LOG_FORMAT: 'json',
      SPOOL_DIR: join(directory, 'spool'),
    });
    // A start that has to create it warns.
    mkdirSync(join(directory, 'spool'));
    t.after(() => process.close());
    return process;
  };
  const gateways = [
    await gateway('sluice-1', ADDRESSES[0]),
    await gateway('sluice-2', ADDRESSES[1]),
  ] as const;
  await Promise.all(gateways.map((one) => one.start()));
  const placed = {
    DEVICES_BIND: BALANCER,
    SLUICE_1: ADDRESSES[0],
    SLUICE_2: ADDRESSES[1],
    SLUICE_ADMIN_PORT: String(adminPort),
  };
  const balancer = await Balancer.start(t, { ...services.haproxy?.environment, ...placed }, config);
  return { port, tlsPort, linesPort, gateways, balancer };
}
