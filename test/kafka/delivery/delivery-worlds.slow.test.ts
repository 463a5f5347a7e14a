// Checks Delivery's promises in random worlds: several devices, a topic that is not known yet or comes back with
// another number of partitions, another cluster at the same address, a slow or failing disk, and stops and crashes at
// any moment.
import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { partitionOf } from '../../../src/kafka/batches/partitioner.ts';
import { UNPLACED } from '../../../src/kafka/batches/placement.ts';
import type { SpoolLog } from '../../../src/spool/spool-log.ts';
import { Random } from '../../chaos/random.ts';
import {
  assertAscending,
  crashCopy,
  deliveryStage,
  idOf,
  LIMITS,
  playSeeds,
  SEEDS,
} from './delivery-stage.ts';
import { type FakeSession, fakeSession, until } from './fakes.ts';
import { type Fate, ModelBroker } from './model-broker.ts';

const STEPS = 60;
const DEVICES = 4;
const DEADLINE_MS = 15_000;
const NOT_LEADER = 6;
const INVALID_TIMESTAMP = 32;
/** Steps of a log that may be slow or fail before they do anything. */
const FALLIBLE = [
  'append',
  'appendCopies',
  'acknowledgeCopied',
  'next',
  'peekAdjoining',
  'setSendingEnd',
  'bindTo',
  'assign',
] as const;

type Stage = Awaited<ReturnType<typeof deliveryStage>>;

interface Device {
  readonly session: FakeSession;
  /** One per connection. Connections end with the gateway's process. */
  readonly connections: number[][];
  readonly sent: number[];
  /** Accepted since the start of the process, and not called stored when it ended. */
  readonly lost: Set<number>;
  from: number;
}

class World {
  readonly broker = new ModelBroker();
  readonly #random: Random;
  readonly #t: TestContext;
  readonly #devices: Device[] = [];
  readonly #letters: number[] = [];
  /** The broker refuses every record for a while. A record that it takes afterwards may come behind later ones. */
  readonly #isMoody: boolean;
  #stage: Stage | undefined;
  #nextId = 1;
  /** The topic keeps its number of partitions, so a device's order holds across restarts too. */
  readonly #isSteady: boolean;
  /** How many partitions the batcher knows, undefined for none, and how many the topic has. */
  #placedFor: number | undefined;
  #partitions: number;
  #cluster = 1;
  #isCut = false;
  #isDiskBad = false;
  /** Promises that wait for Kafka or the disk. They are awaited at the end. */
  #connecting: Promise<void> | undefined;

  constructor(t: TestContext, seed: number) {
    this.#t = t;
    this.#isMoody = seed % 4 === 0;
    this.#random = new Random(seed);
    this.#isSteady = seed % 3 === 0;
    this.#partitions = this.#random.between(1, 4);
    for (let device = 0; device < DEVICES; device++) this.#devices.push(this.#newDevice(device));
  }

  #newDevice(device: number): Device {
    const session = fakeSession(String(10_000 + device), `device-${device}`);
    return { session, connections: [], sent: [], lost: new Set(), from: 0 };
  }

  async run(): Promise<void> {
    await this.#start();
    for (let step = 0; step < STEPS; step++) {
      await this.#step();
      await sleep(this.#random.between(0, 8));
    }
    this.broker.fate = () => ({ kind: 'taken' });
    this.broker.check = () => 0;
    this.#isDiskBad = false;
    await this.#connect();
    await this.#connect();
    const { delivery, spool } = this.#current;
    try {
      await until(() => delivery.inFlightRecords + spool.records === 0, 'everything is settled', DEADLINE_MS);
    } catch (error) {
      const { inFlightRecords, spooledRecords, spoolTrouble, problems, counters } = delivery;
      const left = {
        ...{ inFlightRecords, spooledRecords, spoolTrouble, problems },
        lastError: counters.lastError,
        pending: spool.pending.map(({ partition, log }) => `${partition}: ${log.records}`),
        sources: spool.sources.map(({ name, records }) => `${name}: ${records}`),
      };
      throw new Error(`${(error as Error).message}: ${JSON.stringify(left)}`);
    }
    assert.equal(this.#current.budget.used, 0, 'the budget is free');
  }

  check(): void {
    const ids = this.broker.arrived.map(({ value }) => idOf(value));
    // If the check changes during a search, good records become dead letters.
    const there = new Set([...ids, ...this.#letters]);
    for (const { session, sent, connections, lost } of this.#devices) {
      for (const ordered of this.#isSteady ? [sent] : connections) {
        const own = new Set(ordered);
        const first = [...new Set(ids.filter((id) => own.has(id)))];
        const turned = this.#isMoody ? undefined : first.find((id, index) => id < (first[index - 1] ?? 0));
        assert.equal(turned, undefined, `${turned} of ${session.frame.key} came too late: ${first}`);
      }
      for (const id of sent) assert.ok(there.has(id) || lost.has(id), `${id} is lost`);
      assertAscending(session.storedSeqs, `a device hears in order ${session.storedSeqs}`);
    }
  }

  get #current(): Stage {
    if (this.#stage === undefined) throw new Error('not started');
    return this.#stage;
  }

  async #start(directory?: string): Promise<void> {
    // Losing this hint costs only time.
    if (directory !== undefined && this.#random.next() < 0.3)
      rmSync(join(directory, 'readings.layout'), { force: true });
    this.#stage = await deliveryStage(this.#t, {
      broker: this.broker,
      partitions: 4,
      isKnown: false,
      adoptable: () => void this.#connect(),
      maxBytes: this.#random.pick([2 ** 24, 2 ** 24, 9000]),
      ...(directory !== undefined && { directory }),
      keepLetter: async (id) => void this.#letters.push(id),
    });
    const { spool } = this.#stage;
    const known = new Set<SpoolLog>();
    const spoiled = async (opening: Promise<SpoolLog>): Promise<SpoolLog> => {
      const log = await opening;
      if (!known.has(log)) this.#spoil(log);
      known.add(log);
      return log;
    };
    const { log, unplaced } = spool;
    spool.log = (partition) => spoiled(log.call(spool, partition));
    spool.unplaced = () => spoiled(unplaced.call(spool));
    this.#placedFor = spool.partitionCount;
    for (const device of this.#devices) {
      device.session.generation = -1;
      device.connections.push([]);
    }
  }

  /** Makes the disk slow, and makes it fail now and then while #isDiskBad is set. */
  #spoil(log: SpoolLog): void {
    const random = this.#random;
    const hinder = async (): Promise<void> => {
      if (random.next() < 0.3) await sleep(random.between(0, 4));
      if (this.#isDiskBad && random.next() < 0.5)
        throw Object.assign(new Error('input/output error'), { code: 'EIO' });
    };
    for (const name of FALLIBLE) {
      const step = log[name] as (...args: unknown[]) => Promise<unknown>;
      const hindered = async (...args: unknown[]) => {
        await hinder();
        return step.apply(log, args);
      };
      Object.assign(log, { [name]: hindered });
    }
    const { acknowledge } = log;
    log.acknowledge = async (offset) => {
      await acknowledge.call(log, offset);
      await hinder();
    };
  }

  /** Does what the metadata refresher does. */
  #connect(): Promise<void> {
    this.#connecting ??= this.#refresh(this.#current).finally(() => {
      this.#connecting = undefined;
    });
    return this.#connecting;
  }

  async #refresh({ delivery }: Stage): Promise<void> {
    const cluster = this.#cluster;
    const partitions = this.#partitions;
    const identity = await this.broker.initProducerId();
    if (this.#stage?.delivery !== delivery) return;
    if (cluster === this.#cluster) this.#isCut = false;
    const adopted = delivery.adoptPartitions(partitions, LIMITS);
    if (adopted !== undefined) this.#place(adopted);
    delivery.setLeaders(new Array<number>(partitions).fill(1), identity, `cluster ${cluster}`);
  }

  /** Does what the batcher does. */
  #place(partitions: number): void {
    const isFewer = partitions < (this.#placedFor ?? Number.POSITIVE_INFINITY);
    this.#placedFor = partitions;
    if (!isFewer) return;
    for (const { session } of this.#devices)
      if (session.generation >= 0 && (session.partition < 0 || session.partition >= partitions))
        session.partition = partitionOf(session.frame.key, partitions);
  }

  async #step(): Promise<void> {
    const what = this.#random.next();
    if (what < 0.6) this.#load();
    else if (what < 0.76) this.#weather();
    else if (what < 0.8) this.#current.delivery.unreachable();
    else if (what < 0.88) void this.#connect();
    else if (what < 0.92) this.#isDiskBad = this.#random.next() < 0.6;
    else if (what < 0.935) this.#swap();
    else if (what < 0.95) this.#recreate();
    else if (what < 0.975) await this.#crash();
    else await this.#stop();
  }

  #load(): void {
    const device = this.#random.pick(this.#devices);
    const ids = Array.from({ length: this.#random.between(1, 4) }, () => this.#nextId++);
    const { session } = device;
    if (session.generation < 0) {
      const placedFor = this.#placedFor;
      session.partition = placedFor === undefined ? UNPLACED : partitionOf(session.frame.key, placedFor);
      session.generation = 0;
    }
    this.#current.deliver(ids, { partition: session.partition, device: session });
    device.sent.push(...ids);
    device.connections.at(-1)?.push(...ids);
  }

  #weather(): void {
    const kinds = this.#random.pick<readonly Fate[]>([
      [{ kind: 'taken' }],
      [{ kind: 'taken' }, { kind: 'lost' }],
      [{ kind: 'taken' }, { kind: 'answer-lost' }],
      [{ kind: 'lost', code: 'TIMEOUT' }],
      [{ kind: 'answer-lost', code: 'TIMEOUT' }],
      [{ kind: 'taken' }, { kind: 'refused', errorCode: NOT_LEADER }],
    ]);
    // Sometimes the broker's check refuses everything for a while.
    const isStrict = this.#isMoody && this.#random.next() < 0.3;
    this.broker.check = () => (isStrict ? INVALID_TIMESTAMP : 0);
    const slow = this.#random.between(0, 60);
    this.broker.fate = async () => {
      await sleep(this.#random.between(0, slow));
      // Nothing is sent to the new cluster before delivery knows of it.
      return this.#isCut ? { kind: 'lost', code: 'UNREACHABLE' } : this.#random.pick(kinds);
    };
  }

  #swap(): void {
    this.#cluster++;
    this.#isCut = true;
    this.broker.replace();
    // Requests under way still bring answers of the former cluster.
    void this.#connect().then(() => (this.#stage === undefined ? undefined : this.#connect()));
  }

  #recreate(): void {
    if (this.#isSteady) return;
    this.#partitions = this.#random.between(1, 4);
    this.broker.recreateTopic(this.#partitions);
    if (this.#random.next() < 0.7) void this.#connect();
  }

  async #crash(): Promise<void> {
    const { close, directory } = this.#current;
    this.#end();
    const copy = crashCopy(this.#t, directory);
    await close();
    await this.#start(copy);
    if (this.#random.next() < 0.7) void this.#connect();
  }

  async #stop(): Promise<void> {
    const { delivery, close, directory } = this.#current;
    const isDone = await Promise.race([delivery.spoolAll().then(() => true), sleep(8000, false)]);
    // Only a failing or full disk is an excuse.
    if (!isDone)
      assert.ok(delivery.spoolTrouble !== null || this.#isDiskBad, 'a stop puts everything on disk');
    this.#end();
    if (isDone)
      for (const { lost, from, sent } of this.#devices)
        for (const id of sent.slice(from)) assert.ok(!lost.has(id), `${id} was not told`);
    await close();
    const copy = crashCopy(this.#t, directory);
    await this.#start(copy);
    void this.#connect();
  }

  /** Records called stored until now must survive. */
  #end(): void {
    this.#stage = undefined;
    this.#connecting = undefined;
    for (const device of this.#devices) {
      const told = device.session.storedSeqs.at(-1) ?? 0;
      for (const id of device.sent.slice(device.from)) if (id > told) device.lost.add(id);
      device.from = device.sent.length;
    }
  }
}

test(`${SEEDS} random worlds lose nothing that was stored and keep each device's order`, async (t) => {
  await playSeeds(async (seed) => {
    const world = new World(t, seed);
    await world.run();
    world.check();
  });
});
