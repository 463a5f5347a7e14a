// Starts a real Kafka on this machine: one broker, or three with replication. It never reads KAFKA_BROKERS: whoever has
// a Kafka does not start one.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { KafkaBroker } from './broker.ts';
import type { SaslListener } from './config.ts';
import { createNetwork, DockerNode, removeVolume, volumeName } from './docker-node.ts';
import { JavaNode, newClusterId } from './java-node.ts';
import type { BrokerNode } from './node.ts';
import { freePort } from './ports.ts';
import { onParentDeath } from './process.ts';
import { findRuntime, type JavaRuntime, type Say } from './runtime.ts';
import type { KafkaVersion } from './version.ts';
import { ZooKeeper } from './zookeeper.ts';

export interface KafkaOptions {
  readonly brokers?: 1 | 3;
  /** Kept between runs, and for one number of brokers only. Default: a temporary directory that stop() removes. */
  readonly dataDir?: string;
  /** Deletes the content of `dataDir` first. */
  readonly fresh?: boolean;
  /** One for each broker. Default: free ones. */
  readonly ports?: readonly number[];
  /** A second listener, for clients that log in, one for each broker. Default: none. */
  readonly sasl?: readonly SaslListener[];
  /**
   * Over the defaults of config.ts. After SIGKILL the others take a broker for alive, and keep it out, for
   * broker.session.timeout.ms: 9 s unless set.
   */
  readonly properties?: Readonly<Record<string, string>>;
  /** Starts sooner and stays slower: for tests, never for measurements. Java only. */
  readonly quickJit?: boolean;
  /** Takes lines about slow steps. Default: stderr. */
  readonly say?: Say;
}

export interface KafkaCluster {
  readonly kind: 'docker' | 'java';
  readonly version: KafkaVersion;
  /** host:port, comma-separated. */
  readonly bootstrap: string;
  readonly brokers: readonly KafkaBroker[];
  /** Ends all processes and removes temporary data. Data that are kept get an orderly shutdown. */
  stop(): Promise<void>;
}

type Nodes = { readonly nodes: readonly BrokerNode[]; readonly cleanUp: () => Promise<void> };
type Plan = KafkaOptions & { readonly ports: readonly number[] };

/** Resolves when every broker serves and knows all others. Throws KafkaUnavailableError, BrokerStartError. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const runtime = await findRuntime(options.say);
  const ports = options.ports ?? (await freePorts(options.brokers ?? 1));
  if (ports.length !== (options.brokers ?? ports.length)) throw new RangeError('one port for each broker');
  const plan = { ...options, ports };
  const { nodes, cleanUp } = await (runtime.kind === 'docker'
    ? dockerNodes(plan, runtime.version)
    : javaNodes(runtime, plan));
  const brokers = nodes.map((node) => new KafkaBroker(node));

  const stop = async (): Promise<void> => {
    // Nobody will miss the data: then the fast way.
    const isKept = options.dataDir !== undefined;
    const signal = (broker: KafkaBroker) => (isKept || broker.endsInOrder ? 'SIGTERM' : 'SIGKILL');
    await Promise.all(brokers.map((broker) => broker.stop(signal(broker))));
    await Promise.all(brokers.map((broker) => broker.remove()));
    await cleanUp();
  };
  try {
    await all(brokers.map((broker) => broker.launch()));
    const ids = brokers.map((broker) => broker.id);
    await all(brokers.map((broker) => broker.ready(ids)));
  } catch (error) {
    await stop();
    throw error;
  }
  const bootstrap = brokers.map((b) => b.address).join(',');
  return { kind: runtime.kind, version: runtime.version, bootstrap, brokers, stop };
}

async function javaNodes(runtime: JavaRuntime, plan: Plan): Promise<Nodes> {
  const { properties = {}, quickJit = false } = plan;
  if (plan.fresh && plan.dataDir) await rm(plan.dataDir, { recursive: true, force: true });
  const directory = plan.dataDir ? resolve(plan.dataDir) : await mkdtemp(join(tmpdir(), 'sluice-kafka-'));
  const clusterId = await keptClusterId(directory);
  const controllerPorts = await freePorts(plan.ports.length);
  const zooKeeper = runtime.version.needsZooKeeper ? await ZooKeeper.start(runtime, directory) : undefined;
  const nodes = plan.ports.map((port, index) => {
    const id = index + 1;
    const home = join(directory, `broker-${id}`);
    return new JavaNode(runtime, {
      id,
      port,
      controllerPorts,
      zooKeeper: zooKeeper?.address,
      clusterId,
      directory: home,
      sasl: plan.sasl?.[index],
      properties,
      quickJit,
    });
  });
  if (plan.dataDir) return { nodes, cleanUp: async () => zooKeeper?.stop() };

  const remove = { recursive: true, force: true, maxRetries: 3 };
  // A second later than the brokers, which die at the same signal.
  const callOff = onParentDeath(['sh', '-c', 'sleep 1; rm -rf "$1"', 'sh', directory]);
  const cleanUp = async (): Promise<void> => {
    await zooKeeper?.stop();
    await rm(directory, remove);
    // Last, because this process may be killed during the removal.
    callOff();
  };
  return { nodes, cleanUp };
}

async function dockerNodes(plan: Plan, version: KafkaVersion): Promise<Nodes> {
  const { ports, properties = {} } = plan;
  const dataDir = plan.dataDir && resolve(plan.dataDir);
  const volumes = ports.map((_, index) => dataDir && volumeName(dataDir, index + 1));
  const kept = volumes.filter((volume) => volume !== undefined);
  if (plan.fresh) await Promise.all(kept.map(removeVolume));
  const network = `sluice-kafka-${ports[0]}`;
  const cleanUp = await createNetwork(network);
  // The volumes must find the id they were formatted with.
  const clusterId = dataDir ? await keptClusterId(dataDir) : newClusterId();
  const nodes = ports.map((_, index) => {
    const volume = volumes[index];
    const node = { id: index + 1, ports, network, clusterId, version, sasl: plan.sasl?.[index], properties };
    return new DockerNode(volume ? { ...node, volume } : node);
  });
  return { nodes, cleanUp };
}

/** The cluster id beside the data, made at the first start: brokers refuse data of another cluster. */
async function keptClusterId(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'cluster-id');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept) return kept.trim();
  const id = newClusterId();
  await writeFile(file, `${id}\n`);
  return id;
}

// Waits for all even if one fails. Otherwise a launch under way would escape the stop that follows.
async function all(steps: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(steps)).find((step) => step.status === 'rejected');
  if (failed) throw failed.reason;
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}
