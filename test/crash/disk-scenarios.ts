// Scenarios of a gateway on a disk that works, fails, fills up or is damaged. Each has few and small batches, because its
// test takes time for each crash point.
import { open, readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { rm } from '../../src/cli/spool/rm.ts';
import type { Scenario } from './run-scenarios.ts';
import { ANSWER_LOST, LETTERS, LOST, READINGS, TAKEN, until, usedBytes } from './scene.ts';

/** The gateway knows the topic's one partition. */
const ONE_PARTITION = { before: 'partitions', partitions: 1 } as const;
/** A batch's offset, and the length of the bytes behind these fields. */
const BATCH_HEAD_BYTES = 12;

export const diskScenarios: readonly Scenario[] = [
  {
    name: 'a new spool takes readings and is drained, and later readings go through memory',
    minPoints: 360,
    before: 'nothing',
    async play(scene) {
      const [one, two] = await scene.startWithoutKafka();
      await scene.store(one, 2);
      await scene.store(two, 2);
      await scene.store(one, 3);
      scene.find();
      await scene.delivered();
      await scene.store(one, 1);
      await scene.store(two, 1);
    },
  },
  {
    name: 'the spool uses several segments and is drained while more readings come',
    minPoints: 120,
    ...ONE_PARTITION,
    async play(scene) {
      const one = await scene.startAndLose();
      const two = scene.device('10002');
      for (let round = 0; round < 4; round++) await scene.store(round % 2 === 0 ? one : two, 2);
      scene.cluster.fate = async () => {
        if (!scene.isStored(one)) await until(() => scene.isStored(one), 'the next batch is on disk too');
        return TAKEN;
      };
      scene.find();
      scene.send(one, 1);
      await scene.delivered();
    },
  },
  {
    name: 'batches whose answers were lost are spooled with their sequence',
    minPoints: 96,
    ...ONE_PARTITION,
    async play(scene) {
      await scene.start();
      const one = scene.device('10001');
      await scene.store(one, 2);
      scene.cluster.fate = () => ANSWER_LOST;
      await scene.store(one, 2);
      await scene.store(one, 1);
      scene.cluster.fate = () => TAKEN;
      await scene.delivered();
      scene.cluster.fate = () => LOST;
      await scene.store(one, 1);
      scene.cluster.fate = () => TAKEN;
      await scene.delivered();
      await scene.stop();
    },
  },
  {
    name: 'a batch that was sent is drained, and more batches than a broker remembers follow from memory',
    minPoints: 60,
    ...ONE_PARTITION,
    async play(scene) {
      await scene.start();
      const one = scene.device('10001');
      scene.cluster.fate = () => LOST;
      await scene.store(one, 1);
      scene.cluster.fate = () => TAKEN;
      await scene.delivered();
      for (let round = 0; round < 7; round++) await scene.store(one, 1);
    },
  },
  {
    name: 'a gateway crashes with a spool, and the next one crashes while it drains the spool',
    minPoints: 120,
    ...ONE_PARTITION,
    async play(scene) {
      const one = await scene.startAndLose();
      for (let round = 0; round < 3; round++) await scene.store(one, 2);
      await scene.crash();
      let requests = 0;
      scene.cluster.fate = () => (++requests === 1 ? TAKEN : ANSWER_LOST);
      scene.cluster.isReachable = true;
      // Batches have at most two records, so that there are several.
      await scene.start({ KAFKA_BATCH_SIZE: 2 });
      await until(() => requests === 2, 'the second batch is sent');
      await scene.crash();
      scene.cluster.fate = () => TAKEN;
      await scene.start();
      await scene.delivered();
    },
    settings: { KAFKA_BATCH_SIZE: 2 },
  },
  {
    name: 'the power fails with a spool in use, and again after the next start',
    minPoints: 176,
    before: 'partitions',
    async play(scene) {
      const one = await scene.startAndLose();
      const two = scene.device('10002');
      await scene.store(one, 2);
      await scene.store(two, 1);
      await scene.powerCut();
      await scene.start();
      const later = scene.device('10001');
      await scene.store(later, 1);
      scene.find();
      await until(() => scene.kafka.delivery.counters.confirmed > 0, 'something is delivered');
      await scene.powerCut();
      await scene.start();
      await scene.delivered();
    },
  },
  {
    name: 'Kafka refuses records, and their dead letters wait on disk',
    minPoints: 120,
    ...ONE_PARTITION,
    async play(scene) {
      scene.cluster.fate = (topic) => (topic === LETTERS ? LOST : TAKEN);
      await scene.start();
      const one = scene.device('10001');
      await scene.store(one, 1);
      await scene.store(one, 3, { atFault: [1] });
      await until(() => scene.kafka.delivery.counters.deadLettered === 1, 'a record is refused');
      await scene.store(one, 1);
      scene.cluster.fate = () => TAKEN;
      await scene.delivered();
    },
  },
  {
    name: 'the disk is full, and gets room again once Kafka takes readings',
    minPoints: 120,
    ...ONE_PARTITION,
    async play(scene) {
      const one = await scene.startAndLose();
      await scene.store(one, 2);
      await scene.store(one, 2);
      scene.journal.capacityBytes = usedBytes(scene) + 100;
      scene.send(one, 3);
      await until(() => scene.kafka.delivery.spoolTrouble !== null, 'the disk is full');
      scene.find();
      await scene.delivered();
      scene.journal.capacityBytes = Infinity;
      scene.lose();
      await scene.store(one, 1);
      await scene.stop();
    },
  },
  {
    name: 'the spool reaches its cap',
    minPoints: 52,
    ...ONE_PARTITION,
    async play(scene) {
      const one = await scene.startAndLose({ SPOOL_MAX_BYTES: 700 });
      await scene.store(one, 2);
      scene.send(one, 2);
      scene.send(one, 2);
      await until(() => scene.kafka.delivery.spoolTrouble !== null, 'the spool is full');
      scene.find();
      await scene.delivered();
    },
  },
  {
    name: 'the disk fails a write and a sync',
    minPoints: 148,
    ...ONE_PARTITION,
    async play(scene) {
      const one = await scene.startAndLose();
      await scene.store(one, 2);
      let failures = 0;
      const failOnce = (step: string) => {
        scene.journal.fault = (now, path) => {
          if (now !== step || !path.endsWith('.log')) return undefined;
          scene.journal.fault = () => undefined;
          failures++;
          return 'EIO';
        };
      };
      failOnce('sync');
      await scene.store(one, 2);
      failOnce('write');
      await scene.store(one, 1);
      if (failures !== 2) throw new Error(`${failures} steps failed`);
      scene.find();
      await scene.delivered();
    },
  },
  {
    name: 'damaged bytes are set aside, and removed with `sluice spool rm`',
    minPoints: 120,
    ...ONE_PARTITION,
    async play(scene) {
      const one = await scene.startAndLose();
      await scene.store(one, 2);
      await scene.crash();
      await addDamage(join(scene.directory, `${READINGS}-0`));
      await scene.start();
      const later = scene.device('10001');
      await scene.store(later, 1);
      await scene.stop();
      const lines: unknown[] = [];
      const write = process.stdout.write.bind(process.stdout);
      process.stdout.write = (line: unknown) => lines.push(line) > 0;
      try {
        await rm(scene.directory, { yes: true });
      } finally {
        process.stdout.write = write;
      }
      if (lines.length === 0) throw new Error('nothing was removed');
      scene.cluster.isReachable = true;
      await scene.start();
      await scene.delivered();
    },
  },
];

/** Adds a batch with a wrong byte to the newest segment. No device was told that it is stored. */
async function addDamage(directory: string): Promise<void> {
  const [name] = (await readdir(directory))
    .filter((one) => one.endsWith('.log'))
    .sort()
    .reverse();
  const file = await open(join(directory, name ?? ''), 'r+');
  const { size } = await file.stat();
  const head = Buffer.alloc(BATCH_HEAD_BYTES);
  await file.read(head, 0, head.length, 0);
  const bytes = Buffer.alloc(head.length + head.readInt32BE(head.length - 4));
  await file.read(bytes, 0, bytes.length, 0);
  bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
  await file.write(bytes, 0, bytes.length, size);
  await file.sync();
  await file.close();
}
