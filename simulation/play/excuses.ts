// Says which exceptions of docs/delivery-guarantees.md a history has. The kind of a step makes an exception possible; the
// judge may use it only if the rest of the history bears it out, because a wide excuse hides faults.
import type { Excuse } from '../judge/facts.ts';
import { BROKER_FAULTS } from './faults/brokers.ts';
import { NETWORK_FAULTS } from './faults/network.ts';
import type { Step } from './plan.ts';
import type { Scene } from './scene.ts';
import type { Stage } from './stage.ts';

/** Beside faults of brokers and network: the gateway stands still, or sends more than the network takes at once. */
const OTHERS_THAT_SLOW = [
  'freeze',
  'process-freeze',
  'burst',
  'large-readings',
  'fast-devices',
  'hanging-disk',
];
/** Kinds after which answers of Kafka may take so long that several batches of a partition are in flight. */
const SLOW: ReadonlySet<string> = new Set([
  ...[...BROKER_FAULTS, ...NETWORK_FAULTS].map(({ name }) => name),
  ...OTHERS_THAT_SLOW,
]);
/** On each way. Batches are sent ahead above a round trip of 25 ms, and brokers take their time as well. */
const FAR_MS = 5;

/** A server process ends, and the gateway goes on: the first process kills one that hangs. */
const PROCESS_ENDS: ReadonlySet<string> = new Set(['process-kill', 'process-freeze']);

/** Reads and deletions may fail. */
const DISK_FAILS: ReadonlySet<string> = new Set(['disk-errors', 'disk-broken']);

export function excusesOf({ excuses, gateway, scene }: Stage, steps: readonly Step[]): Set<Excuse> {
  const valid = new Set(excuses);
  // With fewer acks Kafka promises nothing: a login that ends is enough for a loss, a copy or another order.
  if (scene.env.KAFKA_REQUIRED_ACKS !== 'all') valid.add('weak-acks');
  const hasEnded = gateway.starts > 1 || steps.some(({ kind }) => PROCESS_ENDS.has(kind.name));
  if (!hasEnded) valid.delete('refused-then-ended');
  // A start sets aside what the disk does not return, and sends again what it did not delete.
  if (hasEnded && steps.some(({ kind }) => DISK_FAILS.has(kind.name))) valid.add('failing-disk');
  if (valid.has('topic-recreated') && isFar(scene, steps)) valid.add('recreated-in-flight');
  return valid;
}

const isFar = ({ brokerDelayMs }: Scene, steps: readonly Step[]): boolean =>
  brokerDelayMs >= FAR_MS || steps.some(({ kind }) => SLOW.has(kind.name));
