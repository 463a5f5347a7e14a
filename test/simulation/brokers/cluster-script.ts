// The script about three brokers: what clients hear while brokers are frozen, killed and come back. It returns facts in
// the order in which it saw them.
import { CODE } from '../../../simulation/brokers/error-codes.ts';
import { waitFor } from '../../support/wait.ts';
import type { BatchFields } from './batch-bytes.ts';
import { RawClient } from './raw-client.ts';
import { Script } from './script.ts';

export interface ClusterTarget {
  /** By node id. */
  readonly ports: ReadonlyMap<number, number>;
  freeze(nodeId: number): Promise<void>;
  thaw(nodeId: number): Promise<void>;
  kill(nodeId: number): Promise<void>;
  /** Resolves when the broker listens. */
  start(nodeId: number): Promise<void>;
}

const ALL = 3;
/** How long a broker waits for replicas before it gives up. */
const WAIT_MS = 1500;
const ID = 910_000n;

const of = (sequence: number): BatchFields => ({ producerId: ID, sequence });

export const CLUSTER_FACTS = {
  'a leader takes a batch': [0, 0],
  'a follower takes none': CODE.notLeader,
  'no follower answers in time': [CODE.requestTimedOut, 1],
  'the batch was written all the same': [0, 1],
  'the new leader is one of the others': true,
  'two of three are in sync': 2,
  'the new leader has the batch, too': [0, 1],
  'the new leader goes on with the sequence': [0, 2],
  'three in sync are wanted': CODE.notEnoughReplicas,
  'one acknowledgement is enough': 0,
  'two of three are silent': [CODE.requestTimedOut, 3],
  'written once, though it was sent three times': [0, 3],
  'batches have the epoch of their leader': [true, [0, 1, 2, 3]],
  'three in sync are there again': 0,
} as const;

export async function playCluster(target: ClusterTarget): Promise<Record<string, unknown>> {
  const clients: RawClient[] = [];
  const at = async (nodeId: number, topic = '') => {
    const client = await RawClient.connect(target.ports.get(nodeId) ?? 0);
    clients.push(client);
    const none = () => Promise.reject(new Error('not in this script'));
    const script = new Script(
      { port: target.ports.get(nodeId) ?? 0, nodeId, deleteTopic: none, addPartitions: none },
      client,
    );
    script.topic = topic;
    return script;
  };
  try {
    return await facts(target, at);
  } finally {
    for (const client of clients) client.close();
  }
}

async function facts(
  target: ClusterTarget,
  at: (nodeId: number, topic?: string) => Promise<Script>,
): Promise<Record<string, unknown>> {
  const seen: Record<string, unknown> = {};
  const saw = (fact: keyof typeof CLUSTER_FACTS, value: unknown) => {
    seen[fact] = value;
  };
  const sent = async (script: Script, fields: BatchFields, timeoutMs = 8000) => {
    const produced = await script.produce(fields, { timeoutMs });
    return produced === 'closed' ? produced : [produced.code, produced.offset];
  };
  const ids = [...target.ports.keys()];

  const any = await at(1);
  await any.create({ 'min.insync.replicas': '2' }, { replication: ALL });
  const { topic } = any;
  await any.create({ 'min.insync.replicas': '3' }, { replication: ALL });
  const strict = any.topic;
  const leaderOf = (name: string, from: Script, inSync: number) =>
    waitFor(`${name} has ${inSync} replicas in sync`, async () => {
      const { code, leaders, isr } = await from.metadata(name);
      return code === 0 && isr[0]?.length === inSync && (leaders[0] ?? -1) >= 0 ? leaders[0] : undefined;
    });
  const first = await leaderOf(topic, any, ALL);
  await leaderOf(strict, any, ALL);
  const [one = -1, other = -1] = ids.filter((id) => id !== first);
  const leader = await at(first, topic);
  await waitFor('the leader knows that it leads', async () => (await leader.offset(-1)).code === 0);
  saw('a leader takes a batch', await sent(leader, of(0)));
  saw('a follower takes none', await (await at(one, topic)).code(of(1)));

  for (const id of [one, other]) await target.freeze(id);
  saw('no follower answers in time', await sent(leader, of(1), WAIT_MS));
  for (const id of [one, other]) await target.thaw(id);
  saw('the batch was written all the same', await sent(leader, of(1)));

  const witness = await at(one);
  await leaderOf(topic, witness, ALL);
  await target.kill(first);
  const second = await leaderOf(topic, witness, ALL - 1);
  saw('the new leader is one of the others', second === one || second === other);
  saw('two of three are in sync', (await witness.metadata(topic)).isr[0]?.length);
  const next = await at(second, topic);
  await waitFor('the new leader knows that it leads', async () => (await next.offset(-1)).code === 0);
  saw('the new leader has the batch, too', await sent(next, of(1)));
  saw('the new leader goes on with the sequence', await sent(next, of(2)));

  const strictLeader = await at(await leaderOf(strict, witness, ALL - 1), strict);
  await waitFor('it leads', async () => (await strictLeader.offset(-1)).code === 0);
  saw('three in sync are wanted', await strictLeader.code());
  saw('one acknowledgement is enough', await strictLeader.code({}, { acks: 1 }));

  const last = second === one ? other : one;
  await target.freeze(last);
  saw('two of three are silent', await sent(next, of(3), WAIT_MS));
  await target.thaw(last);
  await sent(next, of(3));
  saw('written once, though it was sent three times', await sent(next, of(3)));
  const { batches } = await next.fetch(0);
  const epochs = batches.map(({ epoch }) => epoch);
  const areRising =
    epochs.every((epoch, i) => epoch >= (epochs[i - 1] ?? 0)) && (epochs[3] ?? 0) > (epochs[0] ?? 0);
  saw('batches have the epoch of their leader', [areRising, batches.map(({ base }) => base)]);

  await target.start(first);
  const back = await at(await leaderOf(strict, witness, ALL), strict);
  await waitFor('it leads', async () => (await back.offset(-1)).code === 0);
  saw('three in sync are there again', await back.code());
  return seen;
}
