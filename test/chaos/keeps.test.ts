// More rounds, in a file of their own so that no file takes too long: faults that once lost records, and the death of a
// leader.
import { clusterTest } from '../support/kafka.ts';
import { play, SEED } from './play.ts';
import { Clusters } from './round.ts';

const KEEPS = ['clock-ahead', 'sigterm-full'];
const THREE_BROKERS = ['leader-kill'];

clusterTest(
  `no record is given up that Kafka would take later, and a stop loses no accepted record (seed ${SEED})`,
  async (t) => {
    await play(t, { names: KEEPS, clusters: new Clusters({ quickJit: true }) });
  },
);

clusterTest(`records flow again within 15 seconds after a leader dies (seed ${SEED})`, async (t) => {
  await play(t, { names: THREE_BROKERS, clusters: new Clusters({ quickJit: true }) });
});
