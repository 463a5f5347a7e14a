// Checks Delivery's promises in random histories: lost requests and answers, refusals of every class, records at fault,
// outages of Kafka, and restarts from a disk as a crash leaves it. A seed determines its history.
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Random } from '../../chaos/random.ts';
import {
  assertAscending,
  crashCopy,
  deliveryStage,
  idsIn,
  playSeeds,
  range,
  SEEDS,
} from './delivery-stage.ts';
import { until } from './fakes.ts';
import { type Fate, ModelBroker } from './model-broker.ts';

const STEPS = 60;
const NOT_LEADER = 6;
const MESSAGE_TOO_LARGE = 10;
const NOT_ENOUGH_REPLICAS = 19;
const TOPIC_AUTHORIZATION_FAILED = 29;
const UNKNOWN_PRODUCER_ID = 59;

type Stage = Awaited<ReturnType<typeof deliveryStage>>;

/** The history of one partition. A crash may lose only records that were never called stored. */
class History {
  readonly broker = new ModelBroker();
  readonly #random: Random;
  readonly #t: TestContext;
  #stage: Stage | undefined;
  #nextId = 1;
  readonly #atFault = new Set<number>();
  readonly #letters = new Set<number>();
  /** Delivered since the latest start and not called stored. */
  #open: number[] = [];
  readonly #lost = new Set<number>();
  crashes = 0;
  /** No record is at fault and the broker never forgets the producer, so Kafka may hold no record twice. */
  readonly #isSmooth: boolean;
  /** Copies are allowed once Kafka forgot a producer or a crash broke off a search. */
  mayCopy = false;

  constructor(t: TestContext, seed: number) {
    this.#t = t;
    this.#isSmooth = seed % 2 === 0;
    this.#random = new Random(seed);
    this.broker.check = ({ value }) => {
      const id = Number(/"id":(\d+)/.exec(value)?.[1]);
      return this.#atFault.has(id) ? MESSAGE_TOO_LARGE : 0;
    };
  }

  async run(): Promise<void> {
    await this.#start();
    await this.#connect();
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      await sleep(this.#random.between(0, 8));
    }
    this.broker.fate = () => ({ kind: 'taken' });
    await this.#connect();
    // The last record, if at fault, is given up only after Kafka takes another one.
    this.#deliver([this.#nextId++]);
    const { delivery, spool } = this.#current;
    await until(() => delivery.inFlightRecords + spool.records === 0, 'everything is settled', 15_000);
  }

  check(): void {
    const ids = idsIn(this.broker);
    const first = [...new Set(ids)];
    assertAscending(first, 'first copies are in order');
    if (!this.mayCopy) assert.equal(ids.length, first.length, 'nothing is there twice');
    const there = new Set(ids);
    for (const id of range(1, this.#nextId - 1)) {
      if (this.#atFault.has(id)) {
        assert.ok(!there.has(id), `${id} is at fault and in Kafka`);
        assert.ok(this.#letters.has(id) || this.#lost.has(id), `${id} has no dead letter`);
      } else {
        assert.ok(!this.#letters.has(id), `${id} is no fault and a dead letter`);
        assert.ok(there.has(id) || this.#lost.has(id), `${id} is lost`);
      }
    }
  }

  get #current(): Stage {
    if (this.#stage === undefined) throw new Error('not started');
    return this.#stage;
  }

  async #start(directory?: string): Promise<void> {
    this.#stage = await deliveryStage(this.#t, {
      broker: this.broker,
      maxBytes: this.#random.pick([2 ** 24, 2 ** 24, 9000]),
      ...(directory !== undefined && { directory }),
      keepLetter: async (id) => {
        await sleep(this.#random.between(0, 3));
        this.#letters.add(id);
      },
    });
  }

  async #connect(): Promise<void> {
    await this.#current.connect();
  }

  #deliver(ids: readonly number[]): void {
    this.#current.deliver(ids);
    this.#open.push(...ids);
  }

  async #step(): Promise<void> {
    const what = this.#random.next();
    if (what < 0.55) this.#load();
    else if (what < 0.8) this.#weather();
    else if (what < 0.86) this.#current.delivery.unreachable();
    else if (what < 0.97) await this.#connect();
    else await this.#crash();
  }

  #load(): void {
    const count = this.#random.between(1, 6);
    const ids = range(this.#nextId, this.#nextId + count - 1);
    this.#nextId += count;
    for (const id of ids) if (!this.#isSmooth && this.#random.next() < 0.04) this.#atFault.add(id);
    this.#deliver(ids);
  }

  #weather(): void {
    const forgetful: Fate = { kind: 'refused', errorCode: this.#isSmooth ? NOT_LEADER : UNKNOWN_PRODUCER_ID };
    const kinds = this.#random.pick<readonly Fate[]>([
      [{ kind: 'taken' }],
      [{ kind: 'taken' }],
      [{ kind: 'taken' }, { kind: 'lost' }],
      [{ kind: 'taken' }, { kind: 'answer-lost' }],
      [{ kind: 'lost', code: 'TIMEOUT' }],
      [{ kind: 'answer-lost', code: 'TIMEOUT' }],
      [{ kind: 'taken' }, { kind: 'refused', errorCode: NOT_LEADER }],
      [{ kind: 'refused', errorCode: NOT_ENOUGH_REPLICAS }],
      [{ kind: 'refused', errorCode: TOPIC_AUTHORIZATION_FAILED }, { kind: 'taken' }],
      [forgetful, { kind: 'taken' }, { kind: 'taken' }],
    ]);
    if (kinds.includes(forgetful) && !this.#isSmooth) this.mayCopy = true;
    const slow = this.#random.between(0, 40);
    this.broker.fate = async () => {
      await sleep(this.#random.between(0, slow));
      return this.#random.pick(kinds);
    };
  }

  /** The process dies. Records on disk remain; records only in memory were never called stored. */
  async #crash(): Promise<void> {
    this.crashes++;
    const { close, session, directory } = this.#current;
    // No record is called stored in this turn, so the copy holds every record that was.
    const told = session.storedSeqs.at(-1) ?? 0;
    const copy = crashCopy(this.#t, directory);
    // A search that breaks off sends records again that it sent and could not acknowledge.
    if (this.#atFault.size > 0) this.mayCopy = true;
    await close();
    for (const id of this.#open) {
      if (id > told) this.#lost.add(id);
    }
    this.#open = [];
    await this.#start(copy);
    await this.#connect();
  }
}

test(`${SEEDS} random histories lose nothing that was stored, keep the order and send nothing twice`, async (t) => {
  let crashes = 0;
  await playSeeds(async (seed) => {
    const history = new History(t, seed);
    await history.run();
    history.check();
    crashes += history.crashes;
  });
  assert.ok(crashes > SEEDS / 4, `only ${crashes} crashes`);
});
