// The most important faults, each with its own gateway and topic. `npm run chaos` plays all of them, for any time.
import { playTest } from './play.ts';

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

playTest('no fault loses, duplicates or reorders a confirmed reading', ONE_BROKER, {
  // The controller admits a killed broker again only after its former session has ended.
  properties: { 'broker.session.timeout.ms': '4000', 'broker.heartbeat.interval.ms': '1000' },
});
