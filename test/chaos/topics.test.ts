// Rounds in which the spool's records change their partitions, or their topic is no longer the one of the settings.
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
  `what waits on disk reaches its topic, whatever becomes of that topic (seed ${SEED})`,
  async (t) => {
    await play(t, { names: TOPICS, clusters: new Clusters({ quickJit: true }) });
  },
);
