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

/** Faults after which a leader may not have what it had confirmed. */
const LEADERS_CHANGE: ReadonlySet<string> = new Set([
  'broker-kill',
  'broker-stop',
  'broker-freeze',
  'broker-isolated',
  'too-few-replicas',
  'leader-moves',
  'topic-deleted',
  'topic-recreated',
  'topic-fewer',
  'error-answers',
]);

export function excusesOf({ excuses, gateway, scene }: Stage, steps: readonly Step[]): Set<Excuse> {
  const valid = new Set(excuses);
  addAcks(valid, scene, steps);
  const hasEnded = gateway.starts > 1 || steps.some(({ kind }) => PROCESS_ENDS.has(kind.name));
  if (!hasEnded) valid.delete('refused-then-ended');
  if (valid.has('topic-recreated') && isFar(scene, steps)) valid.add('recreated-in-flight');
  return valid;
}

const isFar = ({ brokerDelayMs }: Scene, steps: readonly Step[]): boolean =>
  brokerDelayMs >= FAR_MS || steps.some(({ kind }) => SLOW.has(kind.name));

/** What is sent again comes twice, and what a broker did not take is lost: both only if something has disturbed it. */
function addAcks(
  valid: Set<Excuse>,
  { env, brokersLateMs, createsTopic }: Scene,
  steps: readonly Step[],
): void {
  const acks = env.KAFKA_REQUIRED_ACKS;
  if (acks === 'all') return;
  // A broker that starts, or that hears of a new topic, does not lead its partitions at once.
  const isYoung = brokersLateMs > 0 || !createsTopic;
  if (isYoung || steps.some(({ kind }) => kind.isCalm !== true)) valid.add('weak-acks');
  const names = steps.map(({ kind }) => kind.name);
  const mayLose =
    acks === '0'
      ? // A quota makes the gateway drop a connection that takes nothing, with the bytes that wait.
        valid.has('weak-acks') || names.includes('quota')
      : brokersLateMs > 0 || names.some((name) => LEADERS_CHANGE.has(name));
  if (mayLose) valid.add('weak-acks-lost');
}
