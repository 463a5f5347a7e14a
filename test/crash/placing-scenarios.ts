// Scenarios of a gateway that places records without a certain partition. Each has few and small batches, because its test
// takes time for each crash point.
import type { Scenario } from './run-scenarios.ts';
import { type Device, type Scene, until, untilDelivered, usedBytes } from './scene.ts';

export const placingScenarios: readonly Scenario[] = [
  {
    name: 'the partitions are unknown, and records are placed while more come',
    minPoints: 296,
    async play(scene) {
      const [, two] = await storeUnplaced(scene, 1);
      scene.find();
      scene.send(two, 1);
      await scene.delivered();
      await scene.isRemembered(2);
    },
  },
  {
    name: 'records are placed, and several crashes interrupt the copy',
    isLong: true,
    minPoints: 600,
    async play(scene) {
      await storeUnplaced(scene, 2);
      await scene.crash();
      scene.cluster.isReachable = true;
      for (const isIt of [
        /write .* readings\.placing/,
        /write .* readings-\d\/\d+\.log/,
        /sync readings-\d\/\d+\.log/,
        /write .* readings~unplaced\/cursor/,
      ])
        await scene.crashAfter(isIt, () => void scene.start());
      await scene.start();
      await scene.delivered();
    },
  },
  {
    name: 'records are placed, and the power fails during the copy and during its repair',
    minPoints: 424,
    async play(scene) {
      await storeUnplaced(scene, 2);
      scene.cluster.isReachable = true;
      await scene.crashAfter(/sync readings-\d\/\d+\.log/, () => scene.find());
      await scene.start();
      const later = scene.device('10001');
      scene.send(later, 1);
      await scene.crashAfter(/sync readings-\d\/\d+\.log/, () => undefined);
      scene.journal.powerCut();
      await scene.start();
      await scene.delivered();
    },
  },
  {
    name: 'the disk is full before Kafka is first reached, and no record on it has a partition',
    minPoints: 100,
    async play(scene) {
      const [, two] = await storeUnplaced(scene, 2);
      scene.journal.capacityBytes = usedBytes(scene) + 1000;
      // The last eighth of the disk is kept for copies.
      const { delivery } = scene.kafka;
      for (let sent = 0; delivery.spoolTrouble === null; sent++) {
        if (sent > 50) throw new Error('the disk is never full');
        scene.send(two, 2);
        await until(
          () => delivery.inFlightRecords === 0 || delivery.spoolTrouble !== null,
          'the batch is on disk, or the disk is full',
        );
      }
      scene.find();
      await untilDelivered(scene.kafka, 5_000);
    },
  },
];

/** Three batches of two devices, stored before Kafka is ever reached. */
async function storeUnplaced(scene: Scene, count: number): Promise<[Device, Device]> {
  const [one, two] = await scene.startWithoutKafka();
  for (const device of [one, two, one]) await scene.store(device, count);
  return [one, two];
}
