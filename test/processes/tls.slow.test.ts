// The TLS port of several processes: real processes, and files that are replaced while they run.
import assert from 'node:assert/strict';
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import type { TLSSocket } from 'node:tls';
import { assertAlive } from '../server/stage.ts';
import { Authority, type Identity } from '../support/authority.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Env, type GatewayProcess, runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

interface Stage {
  readonly gateway: GatewayProcess;
  readonly tlsPort: () => number;
  readonly authority: Authority;
  readonly put: (identity: Identity) => void;
  readonly breakFiles: () => void;
}

async function start(t: TestContext, env: Env = {}): Promise<Stage> {
  const directory = temporaryDirectory(t);
  const authority = new Authority(directory, 'authority');
  const [cert, key] = [join(directory, 'live.pem'), join(directory, 'live.key')];
  const put = (identity: Identity) => {
    copyFileSync(identity.cert, cert);
    copyFileSync(identity.key, key);
  };
  put(authority.sign('first'));
  const gateway = await runGateway(t, directory, {
    TCP_PROCESSES: '2',
    KAFKA_BROKERS: '',
    SPOOL_DIR: join(directory, 'spool'),
    TCP_TLS_PORT: '0',
    TCP_TLS_CERT: cert,
    TCP_TLS_KEY: key,
    ...env,
  });
  const tlsPort = () => {
    const line = gateway.log.findLast(({ msg }) => / with TLS$/.test(msg));
    return Number(/:(\d+) with TLS$/.exec(line?.msg ?? '')?.[1]);
  };
  return { gateway, tlsPort, authority, put, breakFiles: () => writeFileSync(cert, 'broken') };
}

async function identified(t: TestContext, port: number, session?: Buffer): Promise<Device> {
  const device = await Device.connect(port, { tls: { maxVersion: 'TLSv1.2', ...(session && { session }) } });
  t.after(() => device.destroy());
  device.send(IDENTIFY);
  assert.equal((await device.read()).status, 'identified');
  return device;
}

const socketOf = ({ socket }: Device) => socket as TLSSocket;
const nameOf = (device: Device) => socketOf(device).getPeerCertificate().subject.CN;

test('a session ticket of one process is good in the others', async (t) => {
  const { gateway, tlsPort } = await start(t, { TCP_PORT: '' });
  const session = socketOf(await identified(t, tlsPort())).getSession();
  for (let n = 0; n < 20; n++) {
    const device = await identified(t, tlsPort(), session);
    assert.equal(socketOf(device).isSessionReused(), true);
  }
  await waitFor('the figures', () => gateway.stats.tls.resumed === 20 && gateway.stats.tls.handshakes === 21);
});

test('SIGHUP has every process take new files, a start again needs no valid files, and nobody is dropped', async (t) => {
  const { gateway, tlsPort, authority, put, breakFiles } = await start(t);
  const early = await identified(t, tlsPort());
  assert.equal(nameOf(early), 'first');

  put(authority.sign('second'));
  let from = gateway.log.length;
  gateway.signal('SIGHUP');
  // The first process and the two server processes.
  const said = (pattern: RegExp) => () =>
    gateway.log.slice(from).filter(({ msg }) => pattern.test(msg)).length === 3;
  await waitFor('all have the new files', said(/the new content is in use/));
  for (let n = 0; n < 10; n++) assert.equal(nameOf(await identified(t, tlsPort())), 'second');

  await assertAlive(early);

  breakFiles();
  from = gateway.log.length;
  gateway.signal('SIGHUP');
  await waitFor('all say that the files are broken', said(/cannot be used/));
  const [child] = gateway.children;
  process.kill(child as number, 'SIGKILL');
  await waitFor('a process is back', () => gateway.said(/The server process is back/, from));
  // It accepts only after it is back.
  await waitFor('both run', () => gateway.stats.processes.running === 2);
  for (let n = 0; n < 30; n++) assert.equal(nameOf(await identified(t, tlsPort())), 'second');
  const { daysLeft } = gateway.stats.tls;
  assert.ok((daysLeft.cert ?? 0) > 1.9);
  assert.equal(gateway.running, true);
});
