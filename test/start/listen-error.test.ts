import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { describe, it, type TestContext } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { ListeningHandle } from '../../src/server/listening-handle.ts';
import { ListenError, listening, type PortSettings } from '../../src/start/listen-error.ts';
import { portHolder } from '../../src/start/port-holder.ts';

const onLinux = { skip: process.platform !== 'linux' };

async function takenPort(t: TestContext): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

const open = (on: PortSettings) =>
  listening(on, async () => (await ListeningHandle.open(on.host, on.port)).close());

async function refusal(on: PortSettings): Promise<ListenError> {
  try {
    await open(on);
  } catch (error) {
    assert.ok(error instanceof ListenError, String(error));
    return error;
  }
  throw new Error('the port was opened');
}

describe('a port that cannot be opened', () => {
  it('in use: names setting, address, the program that has it, and the remedy', onLinux, async (t) => {
    const port = await takenPort(t);
    for (const [setting, hostSetting] of [
      ['TCP_PORT', 'TCP_HOST'],
      ['TCP_TLS_PORT', 'TCP_HOST'],
      ['HTTP_PORT', 'HTTP_HOST'],
    ] as const) {
      const { message, exitCode } = await refusal({ setting, host: '127.0.0.1', port });
      const start = `cannot listen on ${hostSetting}=127.0.0.1 ${setting}=${port}: the port is in use by pid ${process.pid} (node `;
      assert.ok(message.startsWith(start), message);
      assert.match(message, new RegExp(`Stop that program, or set ${setting} to a free port`));
      assert.equal(exitCode, 1);
    }
  });

  it('on an address of another machine, or on no address', async () => {
    const elsewhere = await refusal({ setting: 'TCP_PORT', host: '192.0.2.1', port: 8080 });
    assert.match(
      elsewhere.message,
      /this machine has no address 192\.0\.2\.1\. Set TCP_HOST to an address that/,
    );
    const nowhere = await refusal({ setting: 'HTTP_PORT', host: 'nowhere.invalid', port: 9108 });
    assert.match(nowhere.message, /the name nowhere\.invalid has no address \(\w+\)\. Set HTTP_HOST to/);
    assert.deepEqual([elsewhere.exitCode, nowhere.exitCode], [1, 1]);
  });

  it('below 1024 without the right: exit code 78', { skip: process.getuid?.() !== 0 }, async () => {
    process.seteuid?.(65_534);
    try {
      const { message, exitCode } = await refusal({ setting: 'TCP_PORT', host: '127.0.0.1', port: 80 });
      assert.match(
        message,
        /no permission for this port, because only root may use ports below 1024\. Set TCP_PORT to/,
      );
      assert.equal(exitCode, 78);
    } finally {
      process.seteuid?.(0);
    }
  });

  it('leaves errors of a program as they are', async () => {
    const bug = new TypeError('a bug');
    await assert.rejects(
      listening({ setting: 'TCP_PORT', host: '::', port: 1 }, () => Promise.reject(bug)),
      (error) => error === bug,
    );
  });
});

describe('the holder of a port', () => {
  it('is nobody for a free port', async () => {
    assert.equal(portHolder(await freePort()), undefined);
  });

  it('is found on IPv6 too, with program and script', onLinux, async (t) => {
    const server = createServer().listen(0, '::1');
    t.after(() => server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    assert.match(
      portHolder(port)?.text ?? '',
      new RegExp(`^pid ${process.pid} \\(node listen-error\\.test\\.js\\)$`),
    );
  });
});
