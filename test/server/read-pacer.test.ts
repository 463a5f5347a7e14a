// Rounds of reading: when the event loop rests, when it must not, and that no round is left open.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { ReadPacer, type Round } from '../../src/server/read-pacer.ts';
import { Device } from '../support/device.ts';
import { startGateway } from '../support/gateway.ts';

const LINE = 170;
const LINGER_MS = 10;

class NotingRound implements Round {
  readonly calls: string[] = [];
  keepsUp = true;

  begin(): void {
    this.calls.push('begin');
  }

  end(withinMs: number): boolean {
    this.calls.push(`end ${withinMs}`);
    return this.keepsUp;
  }

  send(): void {
    this.calls.push('send');
  }
}

/** Calls `read` as often as sockets would be read at that rate, for so long. */
async function readAt(pacer: ReadPacer, { perSecond, bytes = LINE, ms = 300 }: ReadingPace): Promise<void> {
  const startMs = performance.now();
  for (let read = 0; ; ) {
    const passedMs = performance.now() - startMs;
    if (passedMs >= ms) return;
    for (; read < (passedMs * perSecond) / 1000; read++) pacer.read(bytes);
    await sleep(1);
  }
}

interface ReadingPace {
  readonly perSecond: number;
  readonly bytes?: number;
  readonly ms?: number;
}

test('many small reads come in rounds: what is due leaves before each rest, and the last round ends', async () => {
  const round = new NotingRound();
  const pacer = new ReadPacer(LINGER_MS, round);
  await readAt(pacer, { perSecond: 20_000 });
  // The last one ends although nothing is read any more.
  await sleep(30);
  assert.ok(pacer.rests >= 5, `${pacer.rests} rests`);
  const text = round.calls.join(', ');
  assert.match(text, /^(end 18, send, begin(, end 0)?(, |$))+$/);
  assert.equal(round.calls.at(-1), 'end 0');
  assert.equal(round.calls.filter((call) => call === 'begin').length, pacer.rests);
});

test('a rest is 9 ms, or what the linger leaves of it', async () => {
  for (const [lingerMs, restMs] of [
    [60_000, 9],
    [10, 9],
    [5, 4],
  ] as const) {
    const times: number[] = [];
    const pacer = new ReadPacer(lingerMs, {
      begin: () => times.push(performance.now()),
      end: () => true,
      send: () => times.push(performance.now()),
    });
    await readAt(pacer, { perSecond: 20_000 });
    const rests = times.flatMap((at, index) => (index % 2 === 1 ? [at - (times[index - 1] ?? 0)] : []));
    assert.ok(rests.length > 0);
    const shortest = Math.min(...rests);
    assert.ok(shortest >= restMs - 0.5 && shortest < restMs + 4, `${shortest} ms of ${restMs}`);
  }
});

for (const [name, lingerMs, pace] of [
  ['few reads', LINGER_MS, { perSecond: 1000 }],
  ['much in each read', LINGER_MS, { perSecond: 20_000, bytes: 9_000 }],
  ['a linger too short for it', 1, { perSecond: 20_000 }],
] as const) {
  test(`no rest with ${name}`, async () => {
    const round = new NotingRound();
    const pacer = new ReadPacer(lingerMs, round);
    await readAt(pacer, pace);
    assert.deepEqual([pacer.rests, round.calls], [0, []]);
  });
}

test('rests go on where they have begun: with fewer reads, and larger ones, than they begin with', async () => {
  const pacer = new ReadPacer(LINGER_MS, new NotingRound());
  const restsAt = async (pace: ReadingPace) => {
    // Until the rate is measured anew.
    await readAt(pacer, { ...pace, ms: 150 });
    const before = pacer.rests;
    await readAt(pacer, pace);
    return pacer.rests - before;
  };
  assert.equal(await restsAt({ perSecond: 2000 }), 0);
  assert.equal(await restsAt({ perSecond: 20_000, bytes: 12_000 }), 0);
  assert.ok((await restsAt({ perSecond: 20_000 })) > 5);
  assert.ok((await restsAt({ perSecond: 2000 })) > 5);
  assert.ok((await restsAt({ perSecond: 20_000, bytes: 12_000 })) > 5);
  assert.equal(await restsAt({ perSecond: 20_000, bytes: 20_000 }), 0);
  assert.equal(await restsAt({ perSecond: 20_000, bytes: 12_000 }), 0);
  assert.ok((await restsAt({ perSecond: 20_000 })) > 5);
  assert.equal(await restsAt({ perSecond: 500 }), 0);
  assert.equal(await restsAt({ perSecond: 2000 }), 0);
});

test('one device that sends much at once is not made to wait beside many that send little', async () => {
  const pacer = new ReadPacer(LINGER_MS, new NotingRound());
  for (let i = 0; i < 300; i++) {
    for (let read = 0; read < 20; read++) pacer.read(read === 0 ? 40_000 : LINE);
    await sleep(1);
  }
  assert.equal(pacer.rests, 0);
});

test('no rest while a full batch waits for an earlier one, which is asked for every 10 ms', async () => {
  const round = new NotingRound();
  round.keepsUp = false;
  const pacer = new ReadPacer(LINGER_MS, round);
  await readAt(pacer, { perSecond: 20_000, ms: 400 });
  assert.equal(pacer.rests, 0);
  const asked = round.calls.length;
  assert.ok(asked >= 5 && asked <= 40, `asked ${asked} times`);
  assert.deepEqual([...new Set(round.calls)], ['end 18']);

  round.keepsUp = true;
  await readAt(pacer, { perSecond: 20_000, ms: 200 });
  assert.ok(pacer.rests > 0);
});

test('no rest while records go through the spool: from there each batch waits for an answer', async (t) => {
  const gateway = await startGateway();
  t.after(() => gateway.stop());
  const devices = await Promise.all(Array.from({ length: 40 }, () => Device.identified(gateway.port)));
  const startMs = performance.now();
  let sent = 0;
  while (performance.now() - startMs < 500) {
    for (; sent < (performance.now() - startMs) * 12; sent++)
      devices[sent % devices.length]?.send('{"type":"metrics","data":{"t":21.5}}\n');
    await sleep(1);
  }
  const { connections, lines, spool } = gateway.snapshot();
  assert.ok(lines.accepted > 3000 && spool.partitions > 0);
  assert.equal(connections.readRests, 0);
});
