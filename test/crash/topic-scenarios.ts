// Scenarios of a gateway whose topic changes, and of gateways that find the spool of another one. Each has few and small
// batches, because its test takes time for each crash point.
import { partDirectory } from '../../src/spool/parts.ts';
import { oldSpools } from '../spool/version-1.ts';
import type { Scenario } from './run-scenarios.ts';
import { type Device, LOST, oldId, READINGS, type Scene, TAKEN } from './scene.ts';

/** The new KAFKA_TOPIC_METRICS. */
const OTHER = 'measurements';

export const topicScenarios: readonly Scenario[] = [
  {
    name: 'the topic grows with readings on disk',
    minPoints: 232,
    before: 'partitions',
    partitions: 1,
    async play(scene) {
      await scene.start();
      const [one, two] = scene.devicesOf('10001', '10002');
      scene.cluster.fate = () => LOST;
      await scene.store(one, 2);
      await scene.store(two, 2);
      scene.cluster.grow(READINGS, 3);
      scene.cluster.fate = () => TAKEN;
      scene.kafka.link?.refresh('test');
      await scene.delivered();
      scene.cluster.fate = () => LOST;
      for (const device of [one, ...scene.devicesOf('10003', '10004')]) await scene.store(device, 1);
      await scene.crash();
      scene.cluster.fate = () => TAKEN;
      await scene.start();
      await scene.delivered();
    },
  },
  {
    name: 'the topic shrinks with readings on disk',
    minPoints: 400,
    before: 'partitions',
    partitions: 3,
    async play(scene) {
      const all = await storeInThree(scene);
      scene.cluster.create(READINGS, 1);
      for (const device of all) scene.send(device, 1);
      scene.cluster.fate = () => TAKEN;
      scene.kafka.link?.refresh('test');
      await scene.isRemembered(1);
      await scene.delivered();
    },
  },
  {
    name: 'the topic shrinks while no gateway runs, and again before the next gateway has placed all records',
    isLong: true,
    minPoints: 472,
    before: 'partitions',
    partitions: 3,
    async play(scene) {
      await storeInThree(scene);
      await scene.crash();
      scene.cluster.create(READINGS, 2);
      scene.cluster.fate = () => LOST;
      await scene.crashAfter(/write .* readings\.placing/, () => void scene.start());
      scene.cluster.create(READINGS, 1);
      await scene.start();
      const later = scene.device('10001');
      await scene.store(later, 1);
      scene.cluster.fate = () => TAKEN;
      await scene.delivered();
    },
  },
  {
    name: 'KAFKA_TOPIC_METRICS is changed with readings of the former topic on disk',
    minPoints: 480,
    partitions: 1,
    topics: [READINGS, OTHER],
    settings: { KAFKA_TOPIC_METRICS: OTHER },
    async play(scene) {
      scene.cluster.create(OTHER, 1);
      const [one] = await scene.startWithoutKafka();
      await scene.store(one, 2);
      await scene.crash();
      scene.cluster.isReachable = true;
      await scene.start({ KAFKA_TOPIC_METRICS: OTHER });
      await scene.store(scene.device('10003'), 1);
      await scene.delivered();
      await scene.isGone(`${READINGS}~unplaced`);
    },
  },
  {
    name: 'an orphaned part is sent and removed',
    minPoints: 376,
    partitions: 1,
    async play(scene) {
      const [one, two] = await scene.startWithoutKafka({ SPOOL_DIR: partDirectory(scene.directory, 1) });
      await scene.store(one, 2);
      await scene.store(two, 1);
      await scene.crash();
      scene.cluster.isReachable = true;
      await scene.start({ SPOOL_DIR: scene.directory });
      await scene.delivered();
      await scene.isGone('process-1');
    },
  },
  {
    name: 'a spool of version 1 with an assumed number of partitions is upgraded',
    minPoints: 512,
    partitions: 6,
    layOut: (directory) => lastOf('guessed').layOut(directory),
    async play(scene) {
      remember(scene, 'guessed');
      await scene.start();
      await scene.delivered();
    },
  },
];

/** Three devices, each with a reading on disk. */
async function storeInThree(scene: Scene): Promise<readonly Device[]> {
  await scene.start();
  const devices = scene.devicesOf('10001', '10002', '10003');
  scene.cluster.fate = () => LOST;
  for (const device of devices) await scene.store(device, 1);
  return devices;
}

function lastOf(name: string) {
  const last = oldSpools(name).at(-1);
  if (last === undefined) throw new Error(`there is no old spool ${name}`);
  return last;
}

/** Devices were told that the unsent records of the old spool are stored. */
function remember(scene: Scene, name: string): void {
  for (const [key, { from, to }] of lastOf(name).expected) {
    const device = scene.device(key);
    for (let number = from; number < to; number++) device.sent.push(oldId(key, number));
    const last = device.sent.at(-1);
    if (last !== undefined)
      scene.journal.mark({ kind: 'stored', device: device.name, id: last }, `stored ${last}, long ago`);
  }
}
