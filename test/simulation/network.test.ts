// Faults of the simulated network. That it otherwise behaves as Linux does is tested in sockets/.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { Network } from '../../simulation/network/network.ts';
import * as net from '../../simulation/shims/net.ts';
import type { SimProcess } from '../../simulation/world/sim-process.ts';
import { World } from '../../simulation/world/world.ts';

const PORT = 8080;
const LETTERS = 'abcdefghijklmnopqrstuvwxyz';

const withoutTime = (line: string) => line.slice(line.indexOf(' ') + 1);

/** A gateway that sends back all bytes, and a device. */
interface Pair {
  readonly world: World;
  readonly network: Network;
  readonly gateway: SimProcess;
  readonly seen: string[];
  readonly device: Socket;
  readonly server: Socket;
  /** Plays for a while. */
  play(ms: number): Promise<void>;
}

async function withWorld(work: (world: World) => Promise<void>, seed = 1): Promise<string> {
  const world = new World(seed);
  world.network = new Network(world);
  try {
    await work(world);
    return world.traceHash;
  } finally {
    world.end();
  }
}

function play(world: World, ms: number): Promise<unknown> {
  return world.play({ ms });
}

/** @param options of the device's socket */
function withPair(
  work: (pair: Pair) => Promise<void>,
  { keepAliveMs = 0, isDeaf = false } = {},
): Promise<string> {
  return withWorld(async (world) => {
    const { network } = world;
    const gateway = world.startProcess('gateway');
    const seen: string[] = [];
    const note = (who: string) => (what: string) =>
      void seen.push(`${world.nowMs.toFixed(0)} ${who} ${what}`);
    let server: Socket | undefined;
    let device: Socket | undefined;
    const watch = (who: string, socket: Socket) => {
      const see = note(who);
      socket.on('data', (bytes: Buffer) => see(bytes.toString()));
      socket.on('end', () => see('end'));
      socket.on('error', (error: NodeJS.ErrnoException) => see(`${error.code}`));
      socket.on('close', () => see('close'));
    };
    world.after(
      0,
      () => {
        const listener = net.createServer({ allowHalfOpen: true, pauseOnConnect: isDeaf }, (socket) => {
          server = socket;
          if (isDeaf) return;
          watch('gateway', socket);
          socket.on('data', (bytes: Buffer) => socket.write(bytes.toString().toUpperCase()));
        });
        const handle = net._createServerHandle('0.0.0.0', PORT);
        assert.ok(typeof handle === 'object');
        // Accepted sockets inherit it.
        if (keepAliveMs > 0) handle.setKeepAlive(true, keepAliveMs / 1000);
        listener.listen({ _handle: handle });
      },
      gateway,
    );
    world.after(1, () => {
      const localAddress = network.addressOf('device-1');
      device = net.connect({ host: 'gateway', port: PORT, localAddress, allowHalfOpen: true, noDelay: true });
      watch('device', device);
    });
    await play(world, 100);
    assert.ok(device !== undefined && server !== undefined);
    const playFor = async (ms: number) => void (await play(world, ms));
    await work({ world, network, gateway, seen, device, server, play: playFor });
  });
}

describe('simulated network', () => {
  it('needs the time that a link takes', async () => {
    await withPair(async ({ network, seen, device, play }) => {
      network.link('device-1', '*', { delayMs: 50, jitterMs: 0 });
      device.write('a');
      await play(1000);
      assert.deepEqual(seen, ['150 gateway a', '200 device A']);
    });
  });

  it('sends only as fast as a link is', async () => {
    await withPair(async ({ network, seen, server, play }) => {
      network.link('gateway', 'device-1', { delayMs: 0, jitterMs: 0, bytesPerMs: 10 });
      server.write('x'.repeat(500));
      server.write('y'.repeat(500));
      await play(1000);
      assert.deepEqual(
        seen.map((line) => line.slice(0, 12)),
        ['150 device x', '200 device y'],
      );
    });
  });

  it('tears bytes into segments, in order', async () => {
    await withPair(async ({ network, seen, device, play }) => {
      network.link('gateway', 'device-1', { segmentBytes: 2, delayMs: 1, jitterMs: 5 });
      device.write(LETTERS);
      await play(1000);
      const parts = seen.filter((line) => line.includes('gateway')).map((line) => line.split(' ')[2]);
      assert.equal(parts.join(''), LETTERS);
      assert.ok(parts.length > 1, `${parts}`);
    });
  });

  it('keeps silent during a cut, and brings everything at a retry after it', async () => {
    await withPair(async ({ network, seen, device, play }) => {
      network.cut('device-1', 'gateway');
      device.write('a');
      device.end('b');
      await play(1000);
      assert.equal(seen.join(), '');
      network.heal('device-1', 'gateway');
      await play(1000);
      const words = seen.map(withoutTime);
      assert.deepEqual(words, ['gateway a', 'gateway b', 'gateway end', 'device A', 'device B']);
    });
  });

  it('gives up after 15 minutes of retries', async () => {
    await withPair(async ({ network, seen, device, play }) => {
      network.cut('device-1', 'gateway');
      device.write('a');
      await play(900_000);
      assert.equal(seen.join(), '');
      await play(200_000);
      assert.match(seen.join(), /device ETIMEDOUT,\d+ device close/);
    });
  });

  it('notices by keepalive that the peer is gone, unless bytes are on their way', async () => {
    const keepAlive = { keepAliveMs: 60_000 };
    await withPair(async ({ network, seen, play }) => {
      network.powerOff('device-1');
      await play(69_000);
      assert.equal(seen.join(), '');
      await play(2_000);
      assert.match(seen.join(), /gateway ETIMEDOUT/);
    }, keepAlive);
    await withPair(async ({ network, seen, server, play }) => {
      network.cut('device-1', 'gateway');
      server.write('is anybody there?');
      await play(100_000);
      assert.equal(seen.join(), '');
    }, keepAlive);
  });

  it('answers bytes for a machine that lost its power with a reset, once that is back', async () => {
    await withPair(async ({ network, seen, server, play }) => {
      network.powerOff('device-1');
      await play(1000);
      network.powerOn('device-1');
      server.write('welcome back');
      await play(1000);
      assert.match(seen.join(), /gateway ECONNRESET/);
    });
  });

  it('loses an answer, and then breaks the connection at both ends', async () => {
    await withPair(async ({ network, seen, device, play }) => {
      assert.equal(network.dropNext('gateway', 'device-1'), 1);
      await play(1000);
      assert.equal(seen.join(), '');
      device.write('a');
      await play(1000);
      const words = seen.map(withoutTime);
      assert.equal(words[0], 'gateway a');
      assert.deepEqual(words.slice(1).sort(), [
        'device ECONNRESET',
        'device close',
        'gateway ECONNRESET',
        'gateway close',
      ]);
    });
  });

  it('resets connections, and ends one direction of them', async () => {
    await withPair(async ({ network, seen, play }) => {
      network.halfClose('device-1', 'gateway');
      await play(1000);
      assert.match(seen.join(), /gateway end$/);
      network.reset('gateway', '*');
      await play(1000);
      assert.match(seen.join(), /device ECONNRESET/);
    });
  });

  it('takes no more than its buffers hold', async () => {
    await withPair(
      async ({ network, device, play }) => {
        const { sendBytes, receiveBytes } = network.buffers;
        device.write(Buffer.alloc(10 * (sendBytes + receiveBytes)));
        device.write('more');
        await play(1000);
        assert.ok(device.writableLength > 8 * (sendBytes + receiveBytes));
      },
      { isDeaf: true },
    );
  });

  it('refuses, or never answers, a connect', async () => {
    await withWorld(async (world) => {
      const failed: string[] = [];
      const connect = (host: string, port: number) =>
        net
          .connect({ host, port })
          .on('error', (error) => failed.push(`${world.nowMs.toFixed(0)} ${error.message}`));
      world.after(0, () => {
        world.network.addressOf('silent');
        world.network.powerOff('silent');
        connect('gateway', 1);
        connect('silent', 2);
        connect('nobody', 3);
      });
      await play(world, 200_000);
      assert.deepEqual(failed, [
        '1 getaddrinfo ENOTFOUND nobody',
        `1 connect ECONNREFUSED ${world.network.addressOf('gateway')}:1`,
        `127001 connect ETIMEDOUT ${world.network.addressOf('silent')}:2`,
      ]);
    });
  });

  it('closes what a dead process had, and calls it no more', async () => {
    await withPair(async ({ world, seen, device, gateway, play }) => {
      gateway.kill();
      device.write('nobody hears this');
      await play(100);
      assert.deepEqual(seen.map(withoutTime), ['device end']);
      world.after(0, () => device.write('neither this'));
      await play(100);
      assert.deepEqual(seen.map(withoutTime), ['device end', 'device EPIPE', 'device close']);
    });
  });

  it('does the same for the same seed', async () => {
    const history = () =>
      withPair(async ({ network, device, play }) => {
        network.link('gateway', 'device-1', { jitterMs: 10, segmentBytes: 3 });
        device.write('some bytes with jitter');
        await play(1000);
      });
    assert.equal(await history(), await history());
  });
});
