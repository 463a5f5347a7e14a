// The most telling faults, each with its own gateway and topic. All of them, for as long as wanted: npm run chaos.
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

clusterTest(`nothing confirmed is lost, doubled or out of order through faults (seed ${SEED})`, async (t) => {
  // A killed broker is let in again only when its former session has ended.
  const properties = { 'broker.session.timeout.ms': '4000', 'broker.heartbeat.interval.ms': '1000' };
  await play(t, { names: ONE_BROKER, clusters: new Clusters({ quickJit: true, properties }) });
});
