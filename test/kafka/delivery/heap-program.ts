// The program of heap.test.ts: sends batches as at a low rate, and prints how many bytes each left in the old generation.
// It is a process of its own because node:test keeps promises in a Map, which has the same fault that is looked for.
import assert from 'node:assert/strict';
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { Batcher } from '../../../src/kafka/batches/batcher.ts';
import type { Producer } from '../../../src/kafka/delivery/sender.ts';
import { deliveryTo, IDENTITY } from './delivery-stage.ts';
import { fakeSession, reading, turns } from './fakes.ts';

const PARTITIONS = 10;
const SESSIONS = 100;
const RECORDS = 20;
const ROUNDS = 2000;
/** Collections of the young generation are as frequent as those of a gateway with 2,000 messages a second. */
const COLLECT_EVERY = 50;

setFlagsFromString('--expose-gc');
const collectAll = runInNewContext('() => gc()') as () => void;
const collectYoung = runInNewContext('() => gc({ type: "minor" })') as () => void;
const producer: Producer = {
  produce: async (_, { batches }) => ({
    throttleMs: 0,
    partitions: batches.map(({ partition }) => ({ partition, errorCode: 0, baseOffset: 0n })),
  }),
  initProducerId: () => Promise.resolve(IDENTITY),
};
const { delivery, budget } = deliveryTo(producer);
const batcher = new Batcher(
  { maxRecords: 1000, maxBytes: 2 ** 16, lingerMs: 3_600_000, maxMessageBytes: 2 ** 20 },
  { budget, sink: delivery },
);
batcher.setPartitions(PARTITIONS);
delivery.setLeaders(new Array<number>(PARTITIONS).fill(1), IDENTITY);
const sessions = Array.from({ length: SESSIONS }, (_, n) => ({
  ...fakeSession(`${10_000 + n}`),
  stored: () => undefined,
}));
let seq = 0;

// The first rounds are not measured: V8 compiles what runs often, which stays.
await send(ROUNDS);
// Moves all that is alive to the old generation: one dead table there keeps all later ones.
collectAll();
collectAll();
await send(ROUNDS);
const bytes = await send(ROUNDS);
assert.equal(delivery.counters.confirmed, 3 * ROUNDS * RECORDS);
console.log(bytes / (ROUNDS * PARTITIONS));
batcher.stop();
delivery.close();

/** @returns bytes by which the old generation grew. If V8 collects the whole heap meanwhile, that does not hide them */
async function send(rounds: number): Promise<number> {
  let grown = 0;
  let last = oldBytes();
  for (let round = 1; round <= rounds; round++) {
    seq++;
    for (let n = 0; n < RECORDS; n++) {
      const session = sessions[(seq * 7 + n) % SESSIONS];
      if (session !== undefined) batcher.append(session, reading('{"n":1}', { seq }));
    }
    batcher.flush();
    await turns();
    if (round % COLLECT_EVERY !== 0) continue;
    collectYoung();
    const bytes = oldBytes();
    grown += Math.max(0, bytes - last);
    last = bytes;
  }
  return grown;
}

function oldBytes(): number {
  const old = getHeapSpaceStatistics().find(({ space_name }) => space_name === 'old_space');
  return old?.space_used_size ?? 0;
}
