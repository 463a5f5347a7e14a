// What a connection does after each reply code, against the table of codes.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { pino } from 'pino';
import { CODE_NAMES, CODES } from '../../src/protocol/codes.ts';
import { Acceptor } from '../../src/server/acceptor.ts';
import { TcpServer } from '../../src/server/tcp-server.ts';
import { Device } from '../support/device.ts';

const log = pino({ level: 'silent' });
const CONNECTION = {
  maxLineBytes: 1000,
  identifyTimeoutMs: 10_000,
  inactivityTimeoutMs: 10_000,
  lineTimeoutMs: 10_000,
  queueFull: 'pause',
} as const;
const PORT = { host: '127.0.0.1', port: 0, maxConnections: 10, maxConnectionsPerIp: 0, keepaliveMs: 0 };

for (const code of CODE_NAMES) {
  const { effect } = CODES[code];
  it(`a line refused with ${code} leaves its connection ${effect === 'keep' ? 'open' : 'closed'}`, async (t) => {
    let handled = 0;
    const server = new TcpServer(CONNECTION, {
      log,
      sink: {
        offer: (job) => {
          handled++;
          job.session.refuse({ code, message: 'for the test' }, job);
          job.session.done();
          return true;
        },
        awaitRoom: () => {},
        forget: () => {},
        stats: { depth: 0, capacity: 0, bytes: 0, capacityBytes: 0 },
      },
    });
    const acceptor = new Acceptor(PORT, log);
    const { port } = await acceptor.listen((socket) => {
      server.adopt(socket);
      return true;
    });
    t.after(async () => {
      acceptor.close();
      await server.close(0);
    });
    const device = await Device.identified(port);
    device.send('{}\n{}\n');
    if (effect === 'keep') {
      for (let i = 0; i < 2; i++) assert.equal((await device.read()).code, code);
      assert.equal(device.ended, false);
      device.destroy();
    } else {
      assert.deepEqual(await device.restCodes(), [code]);
    }
    assert.equal(handled, effect === 'keep' ? 2 : 1);
  });
}
