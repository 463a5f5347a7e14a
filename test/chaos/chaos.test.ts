// The most important faults, each with its own gateway and topic. `npm run chaos` plays all of them, for any time.
import { clusterTest } from '../support/kafka.ts';
import { play, SEED } from './play.ts';
import { Clusters } from './round.ts';

const ONE_BROKER = [
  'broker-kill',
  'all-frozen',
  'answer-lost',
  'slow-drain',
  'too-large',
  'absent-at-start',
  'gateway-kill-spool',
  'process-kill',
  'sigterm-frozen',
];

clusterTest(`no fault loses, duplicates or reorders a confirmed reading (seed ${SEED})`, async (t) => {
  // The controller admits a killed broker again only after its former session has ended.
  const properties = { 'broker.session.timeout.ms': '4000', 'broker.heartbeat.interval.ms': '1000' };
  await play(t, { names: ONE_BROKER, clusters: new Clusters({ quickJit: true, properties }) });
});
