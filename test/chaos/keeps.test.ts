// Rounds that need a file of their own, so that no file takes too long: faults that were proved to lose records once,
// and a leader that dies.
import { clusterTest } from '../support/kafka.ts';
import { play, SEED } from './play.ts';
import { Clusters } from './round.ts';

const KEEPS = ['clock-ahead', 'sigterm-full'];
const THREE_BROKERS = ['leader-kill'];

clusterTest(
  `nothing is given up that Kafka would take later, and nothing accepted is lost by a stop (seed ${SEED})`,
  async (t) => {
    await play(t, { names: KEEPS, clusters: new Clusters({ quickJit: true }) });
  },
);

clusterTest(`a leader dies, and no more than its 15 seconds are lost (seed ${SEED})`, async (t) => {
  await play(t, { names: THREE_BROKERS, clusters: new Clusters({ quickJit: true }) });
});
