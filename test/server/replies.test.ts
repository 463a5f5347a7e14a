// The replies of the contract with devices, and its codes, on a real socket.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Device, IDENTIFY, readings } from '../support/device.ts';
import { tlsForm } from '../support/form.ts';
import { gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';
import { assertAlive, assertBalance, readAnswer } from './stage.ts';

/** Over TLS a refused device gets no reply (tls.test.ts). */
const NO_REPLY = tlsForm() !== undefined;

describe('an identified device', () => {
  it('gets its connection id, no reply to metrics without seq, and alive for a keepalive', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.connect(gateway.port);
    device.send(IDENTIFY);
    const ack = await device.read();
    assert.deepEqual(Object.keys(ack), ['type', 'status', 'connection_id']);
    assert.deepEqual([ack.type, ack.status], ['ack', 'identified']);
    assert.match(
      ack.connection_id ?? '',
      /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/,
    );
    device.send('{"type":"metrics","data":{"a":1}}\n{"type":"metrics","seq":3,"data":"a=1"}\n');
    device.send('{"type":"keepalive"}\n');
    assert.equal(await device.readLine(), '{"type":"ack","status":"alive"}');
    const { records, lines, connections } = gateway.snapshot();
    assert.equal(records.accepted, 2);
    assert.deepEqual([lines.received, lines.accepted, lines.refusedLines, lines.waiting], [4, 4, 0, 0]);
    assert.deepEqual([connections.active, connections.identified, connections.uniqueZipcodes], [1, 1, 1]);
  });

  it('keeps its connection when lines are refused, each with its code and seq', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.identified(gateway.port);
    const lines: [line: string | Buffer, code: string, seq?: number][] = [
      ['nonsense', 'invalid_json'],
      ['', 'invalid_json'],
      ['[]', 'invalid_json'],
      [Buffer.from([0x7b, 0xff, 0x7d]), 'invalid_utf8'],
      ['{"type":"unknown"}', 'invalid_message'],
      ['{"type":"metrics","seq":7,"data":{"a":{"":1}}}', 'invalid_message', 7],
      [IDENTIFY.trim(), 'already_identified'],
    ];
    for (const [line, code, seq] of lines) {
      device.send(Buffer.concat([Buffer.from(line), Buffer.from('\n')]));
      const reply = await device.read();
      assert.deepEqual([reply.type, reply.status, reply.code, reply.seq], ['ack', 'error', code, seq]);
      assert.equal(typeof reply.message, 'string');
    }
    device.send('{"type":"metrics","seq":7,"data":{"a":1}}\n{"type":"metrics","seq":7,"data":{"a":1}}\n');
    const again = await device.read();
    assert.deepEqual([again.code, again.seq], ['invalid_message', 7]);
    await assertAlive(device);
    const snapshot = gateway.snapshot();
    assertBalance(snapshot);
    assert.equal(snapshot.lines.refusedLines, lines.length + 1);
    assert.equal(snapshot.lines.refused.invalid_json, 3);
    assert.equal(snapshot.records.accepted, 1);
  });

  it('may send UTF-8 in chunks that cut a character, and is refused invalid UTF-8', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.identified(gateway.port);
    const whole = Buffer.from('{"type":"metrics","data":{"a":"é"}}\n');
    const cut = whole.indexOf(0xc3) + 1;
    device.send(whole.subarray(0, cut));
    await waitFor(
      'the first part',
      () => gateway.snapshot().connections.receivedBytes === IDENTIFY.length + cut,
    );
    device.send(whole.subarray(cut));
    device.send(Buffer.concat([whole.subarray(0, cut), Buffer.from('"}}\n')]));
    assert.equal((await device.read()).code, 'invalid_utf8');
    assert.equal(gateway.snapshot().records.accepted, 1);
  });
});

describe('before it identifies a device', () => {
  it('may send invalid lines and still identify', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.connect(gateway.port);
    device.send(`nonsense\n{"type":"identify","zipcode":"","city":"x"}\n${IDENTIFY}`);
    assert.equal((await device.read()).code, 'invalid_json');
    assert.equal((await device.read()).code, 'invalid_message');
    assert.equal((await device.read()).status, 'identified');
  });

  for (const line of ['{"type":"metrics","data":{"a":1}}', '{"type":"keepalive"}']) {
    it(`gets not_identified for ${line} and is closed, and later lines are not read`, async (t) => {
      const gateway = await gatewayFor(t);
      const device = await Device.connect(gateway.port);
      device.send(`${line}\n${IDENTIFY}{"type":"metrics","data":{"a":1}}\n`);
      assert.deepEqual(await device.restCodes(), ['not_identified']);
      const snapshot = gateway.snapshot();
      assertBalance(snapshot);
      assert.deepEqual([snapshot.lines.received, snapshot.lines.refusedLines], [1, 1]);
      assert.equal(snapshot.records.accepted, 0);
    });
  }

  it('gets identify_timeout after TCP_IDENTIFY_TIMEOUT, and not earlier', async (t) => {
    const gateway = await gatewayFor(t, { TCP_IDENTIFY_TIMEOUT: '500ms' });
    const began = performance.now();
    const silent = await Device.connect(gateway.port);
    const talking = await Device.connect(gateway.port);
    talking.send('nonsense\n');
    const inTime = await Device.identified(gateway.port);
    assert.deepEqual(await silent.restCodes(), ['identify_timeout']);
    assert.ok(performance.now() - began >= 500);
    assert.deepEqual(await talking.restCodes(), ['invalid_json', 'identify_timeout']);
    await assertAlive(inTime);
    assert.equal(gateway.snapshot().lines.refused.identify_timeout, 2);
    assertBalance(gateway.snapshot());
  });
});

describe('the line limit', () => {
  const LIMIT = 1024;
  const lineOf = (length: number) => {
    const empty = '{"type":"metrics","data":{"a":""}}';
    return `{"type":"metrics","data":{"a":"${'x'.repeat(length - empty.length)}"}}`;
  };

  for (const ending of ['\n', '\r\n']) {
    it(`allows a line of that length and refuses one byte more (${JSON.stringify(ending)})`, async (t) => {
      const gateway = await gatewayFor(t, { TCP_MAX_LINE_BYTES: String(LIMIT) });
      const device = await Device.identified(gateway.port);
      device.send(lineOf(LIMIT) + ending);
      await assertAlive(device);
      device.send(lineOf(LIMIT + 1) + ending);
      assert.deepEqual(await device.restCodes(), ['line_too_long']);
      const snapshot = gateway.snapshot();
      assert.equal(snapshot.records.accepted, 1);
      assertBalance(snapshot);
    });
  }

  it('ends a stream without a line feed, and the device gets the reply although it goes on sending', async (t) => {
    const gateway = await gatewayFor(t);
    const device = await Device.identified(gateway.port);
    const chunk = Buffer.alloc(256 * 1024, 'x');
    for (let i = 0; i < 8; i++) device.send(chunk);
    assert.deepEqual(await device.restCodes(), ['line_too_long']);
    assert.equal(gateway.snapshot().lines.refused.line_too_long, 1);
  });
});

describe('time', () => {
  it('ends a connection whose line does not end within TCP_LINE_TIMEOUT, although bytes come', async (t) => {
    const gateway = await gatewayFor(t, { TCP_LINE_TIMEOUT: '400ms' });
    const [loris, steady] = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
    const drip = setInterval(() => {
      loris.send('x');
      steady.send('{"type":"keepalive"}\n{"type":');
      steady.send('"keepalive"}\n');
    }, 50);
    t.after(() => clearInterval(drip));
    const began = performance.now();
    assert.deepEqual(await loris.restCodes(), ['line_timeout']);
    assert.ok(performance.now() - began >= 400);
    clearInterval(drip);
    assert.equal(steady.ended, false);
    assert.equal(gateway.snapshot().lines.refused.line_timeout, 1);
    assertBalance(gateway.snapshot());
  });

  it('ends a connection that is silent for TCP_INACTIVITY_TIMEOUT, and none that sends', async (t) => {
    const gateway = await gatewayFor(t, { TCP_INACTIVITY_TIMEOUT: '500ms' });
    const began = performance.now();
    const [silent, steady] = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
    const beat = setInterval(() => steady.send('{"type":"keepalive"}\n'), 100);
    t.after(() => clearInterval(beat));
    assert.deepEqual(await silent.restCodes(), ['inactive']);
    assert.ok(performance.now() - began >= 450);
    await waitFor('three of its times', () => performance.now() - began > 1500);
    assert.equal(steady.ended, false);
    clearInterval(beat);
    assert.equal((await steady.restCodes()).at(-1), 'inactive');
  });
});

describe('the number of connections', () => {
  it('is at most TCP_MAX_CONNECTIONS: one more gets server_full, and a close makes room again', {
    skip: NO_REPLY,
  }, async (t) => {
    const gateway = await gatewayFor(t, { TCP_MAX_CONNECTIONS: '2' });
    const [first] = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
    const third = await Device.connect(gateway.port);
    third.send(IDENTIFY);
    assert.deepEqual(await third.restCodes(), ['server_full']);
    assert.deepEqual(
      [gateway.snapshot().connections.active, gateway.snapshot().lines.refused.server_full],
      [2, 1],
    );
    first.halfClose();
    await waitFor('a free place', () => gateway.snapshot().connections.active === 1);
    await Device.identified(gateway.port);
    assert.ok(gateway.log.some(({ msg }) => msg === 'Connection refused: server full'));
  });

  it('from one address is at most TCP_MAX_CONNECTIONS_PER_IP, other addresses are not affected', {
    skip: NO_REPLY,
  }, async (t) => {
    const gateway = await gatewayFor(t, { TCP_MAX_CONNECTIONS_PER_IP: '2' });
    const [first] = [await Device.identified(gateway.port), await Device.identified(gateway.port)];
    assert.deepEqual(await (await Device.connect(gateway.port)).restCodes(), ['server_full']);
    await Device.identified(gateway.port, { localAddress: '127.0.0.2' });
    first.reset();
    await waitFor('a free place', () => gateway.snapshot().connections.active === 2);
    await Device.identified(gateway.port);
  });

  it('is limited for refused connections too: 600 at once all end', { skip: NO_REPLY }, async (t) => {
    const gateway = await gatewayFor(t, { TCP_MAX_CONNECTIONS: '1' });
    const kept = await Device.identified(gateway.port);
    const flood = await Promise.all(Array.from({ length: 600 }, () => Device.connect(gateway.port)));
    await Promise.all(flood.map((device) => device.rest()));
    assert.equal(gateway.snapshot().lines.refused.server_full, 600);
    await assertAlive(kept);
  });
});

describe('a device_id', () => {
  it('on a new connection ends the older connection with replaced, each time', async (t) => {
    const gateway = await gatewayFor(t);
    const deviceOf = async (id: string) => {
      const device = await Device.connect(gateway.port);
      device.send(`{"type":"identify","zipcode":"90210","city":"x","device_id":"${id}"}\n`);
      assert.equal((await device.read()).status, 'identified');
      return device;
    };
    const [first, second, third] = [await deviceOf('one'), await deviceOf('one'), await deviceOf('one')];
    const other = await deviceOf('other');
    assert.deepEqual(await first.restCodes(), ['replaced']);
    assert.deepEqual(await second.restCodes(), ['replaced']);
    await assertAlive(third);
    await assertAlive(other);
    assert.equal(gateway.snapshot().lines.refused.replaced, 2);
  });
});

describe('a full queue in drop mode', () => {
  it('refuses lines without room with queue_full and their seq, counts them, and logs it once', async (t) => {
    const gateway = await gatewayFor(t, { TCP_JOB_QUEUE_FULL: 'drop', TCP_JOB_QUEUE_SIZE: '10' });
    const device = await Device.identified(gateway.port);
    const sent = 300;
    device.sendMessages(...readings(sent));
    const { lines } = await waitFor('all lines', () => {
      const snapshot = gateway.snapshot();
      return snapshot.lines.received === sent + 1 && snapshot.lines.waiting === 0 && snapshot;
    });
    assert.ok(lines.refused.queue_full > 0 && lines.accepted > 10);
    assert.equal(lines.accepted - 1 + lines.refused.queue_full, sent);
    assert.equal(gateway.snapshot().records.accepted, lines.accepted - 1);
    let last = -1;
    for (let i = 0; i < lines.refused.queue_full; i++) {
      const { code, seq = -1 } = await readAnswer(device);
      assert.equal(code, 'queue_full');
      assert.ok(seq > last, `${seq} after ${last}`);
      last = seq;
    }
    await assertAlive(device);
    const said = gateway.log.filter(({ msg }) => msg === 'Job queue full, dropping message');
    assert.deepEqual(
      said.map(({ count }) => count),
      [1],
    );
  });
});
