// Rounds in which records on disk get other partitions, or the settings name another topic than theirs.
import { clusterTest } from '../support/kafka.ts';
import { play, SEED } from './play.ts';
import { Clusters } from './round.ts';

const TOPICS = [
  'topic-fewer',
  'topic-fewer-more-kill',
  'topic-renamed-fewer-processes',
  'kill-while-placing',
];

clusterTest(
  `records on disk reach their topic, even if it is changed or renamed (seed ${SEED})`,
  async (t) => {
    await play(t, { names: TOPICS, clusters: new Clusters({ quickJit: true }) });
  },
);
