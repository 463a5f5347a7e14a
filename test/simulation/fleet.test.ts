// The devices of the simulator: what they write is understood by the gateway, and what they hear is checked.
import assert from 'node:assert/strict';
import type { Socket } from 'node:net';
import { describe, it } from 'node:test';
import { drawBadLine } from '../../simulation/fleet/bad-lines.ts';
import { Fleet } from '../../simulation/fleet/fleet.ts';
import { OrderedAnswers } from '../../simulation/fleet/ordered-answers.ts';
import { spell } from '../../simulation/fleet/spelling.ts';
import { ToldWaits } from '../../simulation/fleet/told-waits.ts';
import { Network } from '../../simulation/network/network.ts';
import { createServer } from '../../simulation/shims/net.ts';
import { Random } from '../../simulation/world/random.ts';
import { World } from '../../simulation/world/world.ts';
import { type Decoded, decodeLine } from '../../src/protocol/messages.ts';

const PORT = 8080;
const ROUNDS = 400;

describe('lines of simulated devices', () => {
  it('mean the same in every spelling', () => {
    const random = new Random(1, 'spelling');
    const readings = [
      '{"d":"device-1","m":5,"i":0,"t":-21.50}',
      '{"d":"device-1","m":5,"i":1,"t":3.07,"n":{"p":{"lat":1.50},"l":[1E2,[],{}]}}',
    ];
    const spellings = new Set<string>();
    for (let round = 0; round < ROUNDS; round++) {
      const message = {
        seq: random.pick([undefined, 41]),
        readings: readings.slice(0, random.between(1, 2)),
      };
      const line = spell(random, false, message);
      spellings.add(line);
      const { unknown, ...said } = decoded(Buffer.from(line));
      assert.deepEqual(said, { type: 'metrics', ...message }, line);
      assert.ok(unknown === undefined || unknown === 'note');
    }
    assert.ok(spellings.size > 50);
  });

  it('are refused with the code that they expect', () => {
    const random = new Random(1, 'bad lines');
    for (let round = 0; round < ROUNDS; round++) {
      const { answer, seq, bytes } = drawBadLine(random, { device: 'device-1', nextSeq: () => 77 });
      const said = decoded(bytes);
      // Only a connection knows that it is identified.
      const code = said.type === 'identify' ? 'already_identified' : said.type === 'refused' && said.code;
      assert.equal(code, answer, `${bytes}`);
      assert.equal(said.type === 'refused' ? said.seq : undefined, seq, `${bytes}`);
    }
  });
});

function decoded(line: Buffer): Decoded {
  assert.equal(line.at(-1), 0x0a);
  const end = line.at(-2) === 0x0d ? line.length - 2 : line.length - 1;
  return decodeLine(line, 0, end);
}

describe('answers in the order of the lines', () => {
  it('are right in their order only', () => {
    const answers = new OrderedAnswers();
    answers.sent({ answer: 'alive' });
    answers.sent({ answer: 'invalid_json' });
    answers.sent({ answer: 'invalid_message', seq: 7 });
    assert.equal(answers.heard({ answer: 'alive' }), undefined);
    assert.match(answers.stored(7) ?? '', /came before invalid_message 7/);
    assert.equal(answers.stored(6), undefined);
    assert.match(answers.heard({ answer: 'invalid_message', seq: 7 }) ?? '', /came before invalid_json/);
    assert.match(answers.heard({ answer: 'alive' }) ?? '', /nobody asked/);
    assert.equal(answers.areDue, false);
  });

  it('may be missing if a full queue has dropped lines', () => {
    const answers = new OrderedAnswers();
    for (let n = 0; n < 3; n++) answers.sent({ answer: 'alive' });
    answers.sent({ answer: 'invalid_json' });
    for (let n = 0; n < 3; n++) answers.dropped();
    assert.equal(answers.heard({ answer: 'invalid_json' }), undefined);
  });
});

/** Answers a line of a device, which is not the first, by these lines. */
type Answers = (line: string, number: number) => readonly object[];

/** Plays a device against a gateway that answers so. @returns what the device holds against it */
async function liesAbout(answers: Answers): Promise<readonly string[]> {
  const world = new World(1);
  world.network = new Network(world);
  try {
    let connections = 0;
    const serve = (socket: Socket) => {
      const id = `c${connections++}`;
      let number = 0;
      socket.on('error', () => socket.destroy());
      socket.on('data', (bytes: Buffer) => {
        for (const line of bytes.toString().split('\n').slice(0, -1)) {
          const said = number === 0 ? [{ status: 'identified', connection_id: id }] : answers(line, number);
          number++;
          for (const reply of said) socket.write(`${JSON.stringify(reply)}\n`);
        }
      });
    };
    const gateway = world.startProcess('gateway');
    world.after(0, () => createServer({ allowHalfOpen: true }, serve).listen(PORT), gateway);
    const options = {
      host: 'gateway',
      port: PORT,
      devices: 1,
      zipcodes: 1,
      messagesPerSecond: 20,
      maxLineBytes: 8192,
    };
    const fleet = new Fleet(world, options);
    world.after(1, () => fleet.start(), world.outside);
    await world.play({ ms: 10_000 });
    return fleet.lies;
  } finally {
    world.end();
  }
}

const seqOf = (line: string): number => Number(/"seq":(\d+)/.exec(line)?.[1]);
const isKeepAlive = (line: string): boolean => line.includes('keepalive');
const honest: Answers = (line) =>
  isKeepAlive(line) ? [{ status: 'alive' }] : [{ status: 'stored', seq: seqOf(line) }];

describe('a simulated device', () => {
  it('believes a gateway that keeps the protocol', async () => {
    assert.deepEqual(await liesAbout(honest), []);
  });

  const lies: Readonly<Record<string, readonly [Answers, RegExp]>> = {
    'a confirmation of nothing': [
      (line) => [{ status: 'stored', seq: seqOf(line) + 1 }],
      /which was not sent/,
    ],
    'a confirmation that falls': [
      (line) => [...honest(line, 0), ...honest(line, 0)],
      /stored \d+ after stored \d+|nobody asked for alive/,
    ],
    'a refusal of a right message': [
      (line) => [{ status: 'error', code: 'invalid_message', message: 'no', seq: seqOf(line) }],
      /a correct message is refused/,
    ],
    'a refusal after its confirmation': [
      (line) => [...honest(line, 0), { status: 'error', code: 'queue_full', seq: seqOf(line) }],
      /after stored/,
    ],
    'a reply that nobody asked for': [
      (line) => [{ status: 'alive' }, ...honest(line, 0)],
      /nobody asked for alive/,
    ],
    'a reply behind the last one': [
      (line) => [{ status: 'closing', code: 'shutdown', reconnect_after_ms: 500 }, ...honest(line, 0)],
      /a reply behind shutdown/,
    ],
    'an unknown reply': [() => [{ status: 'nonsense' }], /an unknown reply/],
  };
  for (const [name, [answers, told]] of Object.entries(lies)) {
    it(`notices ${name}`, async () => {
      const [first = ''] = await liesAbout(answers);
      assert.match(first, told);
    });
  }
});

describe('devices that are told to go together', () => {
  it('must be told different times to come back', () => {
    const waits = new ToldWaits();
    for (let device = 0; device < 5; device++) waits.told('shutdown', 500 + device, 10);
    for (let device = 0; device < 4; device++) waits.told('max_age', 700, 20);
    // Another stop.
    waits.told('max_age', 700, 5_000);
    assert.deepEqual(waits.lies, []);
    for (let device = 0; device < 4; device++) waits.told('max_age', 700, 5_100);
    assert.deepEqual(waits.lies, ['5 devices together are told max_age with reconnect_after_ms 700']);
  });
});
