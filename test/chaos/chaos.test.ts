// The most important faults. Those that can follow each other share a gateway and a topic. `npm run chaos` plays all of
// them, for any time.
import { playTest } from './play.ts';

const ONE_BROKER = [
  ['broker-kill', 'answer-lost', 'slow-drain', 'gateway-kill-spool'],
  ['all-frozen', 'sigterm-frozen'],
  ['absent-at-start'],
  ['process-kill'],
];

playTest('no fault loses, duplicates or reorders a confirmed reading', ONE_BROKER, {
  // The controller admits a killed broker again only after its former session has ended.
  properties: { 'broker.session.timeout.ms': '4000', 'broker.heartbeat.interval.ms': '1000' },
});
