// A device that vanishes without a word, such as one that lost its power or its network: the kernel's keepalive probes
// find out. Two network namespaces with a cable between them, cut by a blackhole route.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { Device, IDENTIFY } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { runGateway } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

const KEEPALIVE_MS = 2_000;
/** What libuv sets: 10 probes, one a second. */
const PROBES_MS = 10_000;

const ip = (...args: string[]) => execFileSync('ip', args, { stdio: ['ignore', 'pipe', 'pipe'] });

interface Cable {
  readonly namespace: string;
  readonly gatewayAddress: string;
}

/** Undefined if this machine does not let us lay one. */
function layCable(t: TestContext, number: number): Cable | undefined {
  const namespace = `sluice-${process.pid}-${number}`;
  const [here, there] = [`slh${process.pid % 10_000}${number}`, `slt${process.pid % 10_000}${number}`];
  const network = `10.${200 + number}.${process.pid % 250}`;
  try {
    ip('netns', 'add', namespace);
    t.after(() => ip('netns', 'del', namespace));
    ip('link', 'add', here, 'type', 'veth', 'peer', 'name', there, 'netns', namespace);
    ip('address', 'add', `${network}.1/30`, 'dev', here);
    ip('link', 'set', here, 'up');
    ip('-n', namespace, 'address', 'add', `${network}.2/30`, 'dev', there);
    ip('-n', namespace, 'link', 'set', there, 'up');
  } catch (error) {
    console.error(`SKIPPED: no network namespace can be made here: ${String(error)}`);
    return undefined;
  }
  return { namespace, gatewayAddress: `${network}.1` };
}

// They wait for probes nearly all the time, so they wait together.
describe('with TCP_KEEPALIVE', { concurrency: true }, () => {
  for (const processes of [1, 2]) {
    it(`a vanished device is cleared by keepalive, one that is only silent stays (TCP_PROCESSES=${processes})`, async (t) => {
      const cable = layCable(t, processes);
      if (cable === undefined) return t.skip('needs the right to make network namespaces');
      const directory = temporaryDirectory(t);
      const gateway = await runGateway(t, directory, {
        TCP_HOST: '0.0.0.0',
        TCP_PROCESSES: `${processes}`,
        TCP_KEEPALIVE: `${KEEPALIVE_MS}ms`,
        KAFKA_BROKERS: '',
        SPOOL_DIR: join(directory, 'spool'),
      });
      const silent = await Device.identified(gateway.port);
      t.after(() => silent.destroy());
      const { namespace, gatewayAddress } = cable;
      const script = `
        const socket = require('node:net').connect(${gateway.port}, '${gatewayAddress}');
        socket.on('error', () => {});
        socket.write(${JSON.stringify(IDENTIFY)});
        socket.on('data', (reply) => process.stdout.write(reply));`;
      const device = spawn('ip', ['netns', 'exec', namespace, process.execPath, '-e', script], {
        stdio: ['ignore', 'pipe', 'inherit'],
      });
      t.after(() => device.kill('SIGKILL'));
      const [reply] = (await once(device.stdout, 'data')) as [Buffer];
      assert.match(reply.toString(), /identified/);
      await waitFor('both are connected', () => gateway.stats.connections.active === 2);

      ip('-n', namespace, 'route', 'add', 'blackhole', `${gatewayAddress}/32`);
      const since = performance.now();
      await waitFor('it is cleared', () => gateway.stats.connections.active === 1);
      const ms = performance.now() - since;
      assert.ok(ms > PROBES_MS - 2_000, `already after ${ms} ms`);
      assert.ok(ms < KEEPALIVE_MS + PROBES_MS + 5_000, `only after ${ms} ms`);
      silent.sendMessages({ type: 'metrics', seq: 1, data: { t: 1 } });
      assert.equal((await silent.read()).status, 'stored');
    });
  }
});
