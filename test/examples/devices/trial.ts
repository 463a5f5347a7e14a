// A gateway process with tokens and TLS, and one device for each client and way to connect, each behind a proxy of its own.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { seededRandom } from '../../../load/random.ts';
import { freePort } from '../../../scripts/kafka/ports.ts';
import { formatEntry, hashOf } from '../../../src/tokens/token-file.ts';
import { Authority } from '../../support/authority.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { type GatewayProcess, runGateway } from '../../support/gateway-process.ts';
import { createTopic, uniqueTopic } from '../../support/kafka.ts';
import { CLIENTS, commandOf, isSkipped } from './clients.ts';
import { CuttingProxy } from './cutting-proxy.ts';
import { type DeviceEnv, DeviceProcess } from './device-process.ts';

export const TOKEN = 'sluice_token-of-the-device-trials';

/** `no-resume` is plain, too. */
export type Way = 'plain' | 'tls' | 'no-resume';

export interface TrialDevice {
  readonly id: string;
  readonly device: DeviceProcess;
  readonly proxy: CuttingProxy;
  /** Its file can be read. */
  readonly keepsLines: boolean;
}

export interface Trial {
  readonly topic: string;
  readonly gateway: GatewayProcess;
  readonly devices: readonly TrialDevice[];
}

export interface TrialOptions {
  readonly seed: number;
  readonly maxBytes: number;
  /** Of all devices. */
  readonly env: DeviceEnv;
  readonly gatewayEnv?: DeviceEnv;
  /** A device of each client for each of these, if the client knows TLS. */
  readonly ways: readonly Way[];
}

/** Starts the gateway, and makes the devices without starting them. A client whose tools are missing is skipped loudly. */
export async function startTrial(t: TestContext, bootstrap: string, options: TrialOptions): Promise<Trial> {
  const directory = temporaryDirectory(t);
  const topic = uniqueTopic('devices');
  await createTopic(bootstrap, topic, { partitions: 2 });
  const authority = new Authority(directory, 'devices');
  const { cert, key } = authority.sign('gateway');
  const tokens = join(directory, 'tokens');
  writeFileSync(tokens, formatEntry({ hash: hashOf(TOKEN).toString('hex'), ids: ['*'], name: 'trial' }));
  const tlsPort = await freePort();
  const gateway = await runGateway(t, directory, {
    KAFKA_BROKERS: bootstrap,
    KAFKA_TOPIC_METRICS: topic,
    KAFKA_COMPRESSION: 'none',
    SPOOL_DIR: join(directory, 'spool'),
    TCP_TLS_PORT: `${tlsPort}`,
    TCP_TLS_CERT: cert,
    TCP_TLS_KEY: key,
    TCP_TOKENS_FILE: tokens,
    ...options.gatewayEnv,
  });
  const devices: TrialDevice[] = [];
  for (const client of CLIENTS) {
    let takesPart = true;
    await t.test(`the ${client.name} client takes part`, (inner) => {
      takesPart = !isSkipped(inner, client);
    });
    if (!takesPart) continue;
    const command = commandOf(client, directory);
    for (const way of options.ways) {
      const isTls = way === 'tls';
      if (isTls && !client.speaksTls) continue;
      const id = `${client.name}-${way}`;
      const random = seededRandom(options.seed + devices.length);
      // Most connections shall get past the handshake of TLS, since the wait after a failed one is long.
      const maxBytes = options.maxBytes * (isTls ? 6 : 1);
      const proxy = await CuttingProxy.listen(t, isTls ? tlsPort : gateway.port, { random, maxBytes });
      const device = new DeviceProcess(t, command, join(directory, `${id}.state`), {
        SLUICE_HOST: isTls ? 'localhost' : '127.0.0.1',
        SLUICE_PORT: `${proxy.port}`,
        SLUICE_TOKEN: TOKEN,
        ...(isTls && { SLUICE_CA: authority.ca }),
        DEVICE_ID: id,
        ZIPCODE: id,
        CITY: 'Trial City',
        SECOND_MS: '10',
        RESUME: `${way !== 'no-resume'}`,
        ...options.env,
      });
      devices.push({ id, device, proxy, keepsLines: client.keepsLines });
    }
  }
  return { topic, gateway, devices };
}
