// When the event loop pauses between reads, when it must not, and that each read window ends.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import { ReadCoalescer, type ReadWindow } from '../../src/server/read-coalescer.ts';
import { Device } from '../support/device.ts';
import { gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

const LINE = 170;
const LINGER_MS = 10;
const PAUSE_MS = 9;

class RecordingWindow implements ReadWindow {
  readonly calls: string[] = [];
  records = 0;
  goesOn = false;
  keepsUp = true;
  wantsAnswer = false;

  begin(): void {
    this.calls.push('begin');
  }

  handOn(): void {}

  end(withinMs: number): boolean {
    this.calls.push(`end ${withinMs}`);
    return this.keepsUp;
  }

  send(): boolean {
    this.calls.push('send');
    return this.wantsAnswer;
  }
}

interface Pace {
  readonly perSecond: number;
  readonly bytes?: number;
  readonly ms?: number;
}

/** A coalescer on a clock that stands still except for its pauses and the steps of the test: a busy machine changes nothing. */
function setUp(lingerMs = LINGER_MS) {
  let nowMs = 0;
  const pauses: number[] = [];
  const window = new RecordingWindow();
  const coalescer = new ReadCoalescer(lingerMs, window, {
    now: () => nowMs,
    pause: (ms) => {
      pauses.push(ms);
      nowMs += ms;
    },
  });
  /** One millisecond and one turn of the event loop. */
  const step = async () => {
    nowMs++;
    await nextTurn();
  };
  /** Calls `read` at the rate at which sockets would be read. Returns the number of pauses meanwhile. */
  const readAt = async ({ perSecond, bytes = LINE, ms = 300 }: Pace): Promise<number> => {
    const [startMs, before] = [nowMs, pauses.length];
    for (let read = 0; nowMs < startMs + ms; await step())
      for (; read < ((nowMs - startMs) * perSecond) / 1000; read++) {
        coalescer.read(bytes);
        window.records++;
      }
    return pauses.length - before;
  };
  /** In the window after the next pause, bytes of 20 reads wait to be handed on. */
  const gatherInNextWindow = () => {
    const before = pauses.length;
    let gathered = 0;
    const { begin } = window;
    window.begin = () => {
      begin.call(window);
      if (pauses.length === before + 1) gathered = 20;
    };
    window.handOn = () => {
      for (; gathered > 0; gathered--) coalescer.read(LINE);
    };
  };
  return { coalescer, window, pauses, step, readAt, gatherInNextWindow };
}

test('many small reads are read together: due batches leave before each pause, and the last window ends', async () => {
  const { coalescer, window, pauses, step, readAt } = setUp();
  assert.ok((await readAt({ perSecond: 20_000 })) >= 20);
  // Nothing is read any more, and the last window still has to end.
  for (let i = 0; i < 3; i++) await step();
  assert.equal(coalescer.pauses, pauses.length);
  assert.match(window.calls.join(', '), /^(end Infinity, send, begin(, end 0)?(, |$))+$/);
  assert.equal(window.calls.at(-1), 'end 0');
  assert.equal(window.calls.filter((call) => call === 'begin').length, pauses.length);
});

test('with KAFKA_BATCH_TIMEOUT above 20 ms, batches leave that would be due before the next window ends', async () => {
  const { window, readAt } = setUp(21);
  await readAt({ perSecond: 20_000 });
  assert.match(window.calls.join(', '), /^end 7, send, begin, (end 14, send, begin(, |$))+$/);
});

test('devices are told before the pause, if sending is all that a batch waits for (KAFKA_ACKS=0)', async () => {
  const { window, pauses, readAt } = setUp();
  const pausesMeanwhile: number[] = [];
  window.send = () => {
    const before = pauses.length;
    void Promise.resolve().then(() => pausesMeanwhile.push(pauses.length - before));
    return false;
  };
  await readAt({ perSecond: 20_000 });
  assert.ok(pausesMeanwhile.length > 0);
  assert.ok(pausesMeanwhile.every((count) => count === 0));
});

test('with many records a pause takes 7 ms, or the linger less 1 ms if that is shorter', async () => {
  for (const [lingerMs, pauseMs] of [
    [60_000, 7],
    [20, 7],
    [10, 7],
    [5, 4],
  ] as const) {
    const { pauses, readAt } = setUp(lingerMs);
    await readAt({ perSecond: 20_000 });
    assert.deepEqual([...new Set(pauses)], [pauseMs]);
  }
});

test('with few records a pause takes up to 19 ms, as long as 40 of them take to come', async () => {
  for (const [lingerMs, perSecond, pauseMs] of [
    [60_000, 1000, 19],
    [20, 2000, 19],
    [20, 2500, 15],
    [20, 4000, 9],
    [20, 5000, 7],
    [12, 1000, 11],
    [10, 1000, 9],
    [5, 1000, 4],
  ] as const) {
    const { pauses, readAt } = setUp(lingerMs);
    await readAt({ perSecond, ms: 1000 });
    const last = pauses.at(-1) ?? 0;
    assert.ok(Math.abs(last - pauseMs) <= 1, `${last} ms, ${perSecond} a second, ${lingerMs} ms`);
  }
});

test('if devices wait for an answer of Kafka, sockets are read once in the pause, and batches are left alone then', async () => {
  const { window, pauses, readAt } = setUp();
  window.wantsAnswer = true;
  const handedOnAfter = new Set<number | undefined>();
  window.handOn = () => void handedOnAfter.add(pauses.at(-1));
  await readAt({ perSecond: 2000 });
  assert.ok(pauses.length >= 20);
  assert.ok(handedOnAfter.has(3));
  for (const [index, ms] of pauses.entries()) assert.equal(ms, index % 2 === 0 ? 3 : 6);
  assert.match(window.calls.join(', '), /^(end Infinity, send, begin, begin(, end 0)?(, |$))+/);
});

test('a pause of 3 ms or less is not divided', async () => {
  const { window, pauses, readAt } = setUp(4);
  window.wantsAnswer = true;
  await readAt({ perSecond: 2000 });
  assert.deepEqual([...new Set(pauses)], [3]);
});

test('a pause blocks the event loop', async () => {
  const times: number[] = [];
  const coalescer = new ReadCoalescer(LINGER_MS, {
    records: 0,
    begin: () => times.push(performance.now()),
    handOn: () => {},
    goesOn: false,
    end: () => true,
    send: () => {
      times.push(performance.now());
      return false;
    },
  });
  await waitFor('a pause', () => {
    for (let i = 0; i < 1000; i++) coalescer.read(LINE);
    return coalescer.pauses > 0;
  });
  const [sentMs = 0, begunMs = 0] = times;
  assert.ok(begunMs - sentMs >= PAUSE_MS - 0.5, `${begunMs - sentMs} ms`);
});

for (const [name, lingerMs, pace] of [
  ['few reads', LINGER_MS, { perSecond: 250 }],
  ['large reads', LINGER_MS, { perSecond: 20_000, bytes: 9_000 }],
  ['a linger of 1 ms', 1, { perSecond: 20_000 }],
] as const) {
  test(`there is no pause with ${name}`, async () => {
    const { window, readAt } = setUp(lingerMs);
    assert.equal(await readAt(pace), 0);
    assert.deepEqual(window.calls, []);
  });
}

test('pauses go on with fewer and larger reads than they begin with', async () => {
  const { readAt } = setUp();
  const pausesAt = async (pace: Pace) => {
    // The rate has to be measured again first.
    await readAt({ ...pace, ms: 150 });
    return readAt(pace);
  };
  assert.equal(await pausesAt({ perSecond: 20_000, bytes: 12_000 }), 0);
  assert.equal(await pausesAt({ perSecond: 200 }), 0);
  assert.ok((await pausesAt({ perSecond: 20_000 })) > 5);
  assert.ok((await pausesAt({ perSecond: 200 })) > 5);
  assert.ok((await pausesAt({ perSecond: 20_000, bytes: 12_000 })) > 5);
  assert.equal(await pausesAt({ perSecond: 20_000, bytes: 20_000 }), 0);
  assert.equal(await pausesAt({ perSecond: 20_000, bytes: 12_000 }), 0);
  assert.ok((await pausesAt({ perSecond: 20_000 })) > 5);
  assert.equal(await pausesAt({ perSecond: 50 }), 0);
  assert.equal(await pausesAt({ perSecond: 200 }), 0);
});

test('a device that sends much at once does not wait because many others send little', async () => {
  const { coalescer, pauses, step } = setUp();
  for (let i = 0; i < 300; i++) {
    for (let read = 0; read < 20; read++) coalescer.read(read === 0 ? 40_000 : LINE);
    await step();
    // Others do not wait for all of its lines either.
    assert.equal(coalescer.turnMs, 0);
  }
  assert.equal(pauses.length, 0);
  for (let i = 0; i < 50; i++) {
    for (let read = 0; read < 20; read++) coalescer.read(LINE);
    await step();
  }
  assert.equal(coalescer.turnMs, PAUSE_MS);
});

test('while reads are many and small, lines may take as long in a turn as a pause does, also without one', async () => {
  for (const [lingerMs, perSecond, turnMs] of [
    [60_000, 20_000, 7],
    [5, 20_000, 4],
    [20, 1000, 9],
  ] as const) {
    const { coalescer, window, readAt } = setUp(lingerMs);
    await readAt({ perSecond: 50 });
    assert.equal(coalescer.turnMs, 0);
    await readAt({ perSecond, ms: 1000 });
    assert.equal(coalescer.turnMs, turnMs);
    window.keepsUp = false;
    assert.equal(await readAt({ perSecond }), 0);
    assert.equal(coalescer.turnMs, turnMs);
    await readAt({ perSecond, bytes: 20_000, ms: 1000 });
    assert.equal(coalescer.turnMs, 0);
  }
});

test('while a full batch waits for an earlier one there is no pause, and the next try comes after 10 ms', async () => {
  const { window, readAt } = setUp();
  window.keepsUp = false;
  assert.equal(await readAt({ perSecond: 20_000, ms: 400 }), 0);
  const tries = window.calls.length;
  assert.ok(tries >= 20 && tries <= 40, `${tries} tries`);
  assert.deepEqual([...new Set(window.calls)], ['end Infinity']);

  window.keepsUp = true;
  assert.ok((await readAt({ perSecond: 20_000, ms: 200 })) > 0);
});

test('while the workers go on, the window does, and the pause comes in the turn after the last line', async () => {
  const { coalescer, window, pauses, step, readAt } = setUp();
  await readAt({ perSecond: 20_000 });
  const readTurns = async (turns: number) => {
    for (let turn = 0; turn < turns; turn++) {
      for (let read = 0; read < 20; read++) coalescer.read(LINE);
      await step();
    }
  };
  const [calls, before] = [window.calls.length, pauses.length];
  window.goesOn = true;
  await readTurns(8);
  assert.deepEqual(window.calls.slice(calls), []);
  window.goesOn = false;
  await readTurns(1);
  assert.deepEqual(window.calls.slice(calls, calls + 3), ['end Infinity', 'send', 'begin']);
  assert.equal(pauses.length, before + 1);
});

test('a window in which the workers go on ends after the time that a batch may wait', async () => {
  for (const [lingerMs, longestMs] of [
    [20, 10],
    [10, 10],
    [5, 5],
  ] as const) {
    const { coalescer, window, step, readAt } = setUp(lingerMs);
    await readAt({ perSecond: 20_000 });
    const before = window.calls.length;
    window.goesOn = true;
    let turns = 0;
    for (; window.calls.length === before; turns++) {
      coalescer.read(LINE);
      await step();
    }
    assert.ok(turns >= longestMs - 1 && turns <= longestMs + 1, `${turns} ms with ${lingerMs}`);
    window.goesOn = false;
  }
});

test('where there are no pauses, the workers are not waited for', async () => {
  const { window, readAt } = setUp();
  let asked = 0;
  Object.defineProperty(window, 'goesOn', { get: () => ++asked > 0 });
  await readAt({ perSecond: 250 });
  assert.deepEqual([asked, window.calls], [0, []]);
});

test('what was read and is not handed on yet belongs to the window, also if nothing else was read', async () => {
  const { coalescer, window, pauses, step, readAt, gatherInNextWindow } = setUp();
  await readAt({ perSecond: 20_000, ms: 200 });
  for (let i = 0; i < 3; i++) await step();
  const [calls, before] = [window.calls.length, pauses.length];
  gatherInNextWindow();
  for (let read = 0; read < 20; read++) coalescer.read(LINE);
  for (let i = 0; i < 3; i++) await step();
  assert.equal(pauses.length, before + 2);
  // No window ends without its lines: that would be `end 0`.
  assert.deepEqual(window.calls.slice(calls, calls + 5), [
    'end Infinity',
    'send',
    'begin',
    'end Infinity',
    'send',
  ]);
});

test('a window whose reads are handed on as the one before ends does not end before its own reads', async () => {
  const { coalescer, window, pauses, step, readAt, gatherInNextWindow } = setUp();
  await readAt({ perSecond: 20_000, ms: 200 });
  for (let i = 0; i < 3; i++) await step();
  const before = pauses.length;
  gatherInNextWindow();
  for (let read = 0; read < 20; read++) coalescer.read(LINE);
  while (pauses.length < before + 2) await step();
  for (let read = 0; read < 20; read++) coalescer.read(LINE);
  await step();
  // `end 0` would be a window that ended without its lines.
  assert.deepEqual(window.calls.slice(-3), ['end Infinity', 'send', 'begin']);
});

test('there is no pause before the bytes that were read are handed on', async () => {
  const { coalescer, window, pauses, step, readAt } = setUp();
  await readAt({ perSecond: 20_000, ms: 200 });
  for (let i = 0; i < 3; i++) await step();
  let gathered = 0;
  window.handOn = () => {
    window.goesOn = gathered > 0;
    for (; gathered > 0; gathered--) coalescer.read(LINE);
  };
  const before = pauses.length;
  for (let read = 0; read < 20; read++) coalescer.read(LINE);
  gathered = 1;
  await step();
  assert.equal(pauses.length, before);
  await step();
  assert.equal(pauses.length, before + 1);
});

test('there is no pause while connections come in, and pauses go on 20 ms after the last one', async () => {
  const { coalescer, pauses, step, readAt } = setUp();
  assert.ok((await readAt({ perSecond: 20_000 })) > 20);
  const before = pauses.length;
  for (let ms = 0; ms < 300; ms++) {
    if (ms % 10 === 0) coalescer.connected();
    for (let read = 0; read < 20; read++) coalescer.read(LINE);
    await step();
  }
  assert.equal(pauses.length, before);
  // The turns stay short as well, because one connection is accepted in each.
  assert.equal(coalescer.turnMs, 0);
  assert.equal(await readAt({ perSecond: 20_000, ms: 8 }), 0);
  assert.ok((await readAt({ perSecond: 20_000, ms: 30 })) > 0);
  assert.equal(coalescer.turnMs, 7);
});

test('there is no pause while records go through the spool, where each batch waits for the answer to the one before', async (t) => {
  const gateway = await gatewayFor(t);
  const devices = await Promise.all(Array.from({ length: 40 }, () => Device.identified(gateway.port)));
  const startMs = performance.now();
  let sent = 0;
  while (performance.now() - startMs < 500) {
    for (; sent < (performance.now() - startMs) * 12; sent++)
      devices[sent % devices.length]?.send('{"type":"metrics","data":{"t":21.5}}\n');
    await sleep(1);
  }
  await waitFor('most lines', () => gateway.snapshot().lines.accepted > 3000);
  const { connections, spool } = gateway.snapshot();
  assert.ok(spool.partitions > 0);
  assert.equal(connections.readRests, 0);
});
