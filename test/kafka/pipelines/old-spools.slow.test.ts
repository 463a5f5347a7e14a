// Tests that spools written at commit 2676aa6, whose format had no version, can still be opened and sent.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { partitionOf } from '../../../src/kafka/batches/partitioner.ts';
import { temporaryDirectory } from '../../spool/support.ts';
import { type OldSpool, oldSpools } from '../../spool/version-1.ts';
import { waitFor } from '../../support/wait.ts';
import { deliveryStage } from '../delivery/delivery-stage.ts';
import { ModelBroker } from '../delivery/model-broker.ts';

/** How many partitions the topic really has. */
const FIXTURES = {
  'known-in-flight': 4,
  guessed: 6,
  'guessed-backwards': 6,
  shrunk: 3,
  'swap-failed': 6,
  'swap-failed-halfway': 6,
} as const;

interface Value {
  readonly zipcode: string;
  readonly data: { readonly n: number };
}

/** The numbers of each key's records, in order. Fails if a key is in a wrong partition. */
function arrived(broker: ModelBroker, partitions: number): Map<string, number[]> {
  const found = new Map<string, number[]>();
  for (const [partition, records] of broker.topic) {
    for (const { value } of records) {
      const { zipcode, data } = JSON.parse(value) as Value;
      assert.equal(partition, partitionOf(Buffer.from(zipcode), partitions), zipcode);
      found.set(zipcode, [...(found.get(zipcode) ?? []), data.n]);
    }
  }
  return found;
}

const expectedOf = ({ expected }: OldSpool) =>
  new Map(
    [...expected].map(([key, { from, to }]) => [key, Array.from({ length: to - from }, (_, n) => from + n)]),
  );

const sorted = (map: ReadonlyMap<string, number[]>) => [...map].sort(([a], [b]) => (a < b ? -1 : 1));

describe('a spool of commit 2676aa6', () => {
  for (const [name, partitions] of Object.entries(FIXTURES)) {
    it(`(${name}) is delivered once, in order and to the right partitions, in every state that a crash left`, async (t) => {
      for (const old of oldSpools(name)) {
        const directory = temporaryDirectory(t);
        old.layOut(directory);
        const broker = new ModelBroker();
        const stage = await deliveryStage(t, { broker, directory, partitions, isKnown: false });
        await stage.connect('cluster', partitions);
        await waitFor(`an empty spool (${old.step})`, () => stage.spool.records === 0);
        assert.deepEqual(sorted(arrived(broker, partitions)), sorted(expectedOf(old)), old.step);
        await stage.close();
      }
    });
  }
});
