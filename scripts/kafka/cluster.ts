// Starts a real Kafka on this machine: one broker, or three with replication. It never reads KAFKA_BROKERS.
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { KafkaBroker } from './broker.ts';
import type { SaslListener, TlsListener } from './config.ts';
import { createNetwork, DockerNode, removeVolume, volumeName } from './docker-node.ts';
import { JavaNode, newClusterId } from './java-node.ts';
import { freePort } from './ports.ts';
import { onParentDeath } from './process.ts';
import { findRuntime, type JavaRuntime, type Say } from './runtime.ts';
import type { KafkaVersion } from './version.ts';
import { ZooKeeper } from './zookeeper.ts';

export interface KafkaOptions {
  readonly brokers?: 1 | 3;
  /** Kept between runs. It fits one number of brokers. Default: a temporary directory that stop() removes. */
  readonly dataDir?: string;
  /** Empty `dataDir` first. */
  readonly fresh?: boolean;
  /** One for each broker. Default: free ports. */
  readonly ports?: readonly number[];
  /** For each broker a second listener, for clients that log in. Default: none. */
  readonly sasl?: readonly SaslListener[];
  /** For each broker a listener for clients that show a certificate. Default: none. */
  readonly tls?: readonly TlsListener[];
  /**
   * Override the properties of config.ts. For broker.session.timeout.ms (default 9 s) after a SIGKILL, a cluster
   * believes the broker to be alive and does not let it come back.
   */
  readonly properties?: Readonly<Record<string, string>>;
  /** A faster start and a slower broker: for tests, never for measurements. Java only. */
  readonly quickJit?: boolean;
  /** Default: that of SLUICE_KAFKA_VERSION. */
  readonly version?: KafkaVersion;
  /** Gets lines about slow steps. Default: stderr. */
  readonly say?: Say;
}

export interface KafkaCluster {
  readonly kind: 'docker' | 'java';
  readonly version: KafkaVersion;
  /** host:port, comma-separated. */
  readonly bootstrap: string;
  readonly brokers: readonly KafkaBroker[];
  /** Ends all processes and removes temporary data. Brokers whose data is kept shut down in order. */
  stop(): Promise<void>;
}

type Nodes = { readonly brokers: readonly KafkaBroker[]; readonly cleanUp: () => Promise<void> };
type Plan = KafkaOptions & { readonly ports: readonly number[] };

/** Resolves when every broker answers and knows all others. Throws KafkaUnavailableError, BrokerStartError. */
export async function startKafka(options: KafkaOptions = {}): Promise<KafkaCluster> {
  const runtime = await findRuntime(options.say, options.version);
  const ports = options.ports ?? (await freePorts(options.brokers ?? 1));
  if (ports.length !== (options.brokers ?? ports.length)) throw new RangeError('one port for each broker');
  const plan = { ...options, ports };
  const { brokers, cleanUp } = await (runtime.kind === 'docker'
    ? dockerNodes(plan, runtime.version)
    : javaNodes(runtime, plan));
  const stop = async (): Promise<void> => {
    // SIGKILL is faster, if nobody needs the data.
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
  const brokers = plan.ports.map((port, index) => {
    const id = index + 1;
    return new JavaNode(runtime, {
      id,
      port,
      controllerPorts,
      zooKeeper: zooKeeper?.address,
      clusterId,
      directory: join(directory, `broker-${id}`),
      sasl: plan.sasl?.[index],
      tls: plan.tls?.[index],
      properties,
      quickJit,
    });
  });
  if (plan.dataDir) return { brokers, cleanUp: async () => zooKeeper?.stop() };

  const remove = { recursive: true, force: true, maxRetries: 3 };
  // A second later than the brokers, which end at the same time.
  const callOff = onParentDeath(['sh', '-c', 'sleep 1; rm -rf "$1"', 'sh', directory]);
  const cleanUp = async (): Promise<void> => {
    await zooKeeper?.stop();
    await rm(directory, remove);
    // Only now: this process may be killed while it removes the directory.
    callOff();
  };
  return { brokers, cleanUp };
}

async function dockerNodes(plan: Plan, version: KafkaVersion): Promise<Nodes> {
  const { ports, properties = {} } = plan;
  const dataDir = plan.dataDir && resolve(plan.dataDir);
  const volumes = ports.map((_, index) => dataDir && volumeName(dataDir, index + 1));
  const kept = volumes.filter((volume) => volume !== undefined);
  if (plan.fresh) await Promise.all(kept.map(removeVolume));
  const network = `sluice-kafka-${ports[0]}`;
  const cleanUp = await createNetwork(network);
  // The brokers refuse a volume that was formatted with another id.
  const clusterId = dataDir ? await keptClusterId(dataDir) : newClusterId();
  const brokers = ports.map((_, index) => {
    const volume = volumes[index];
    const listeners = { sasl: plan.sasl?.[index], tls: plan.tls?.[index] };
    const node = { id: index + 1, ports, network, clusterId, version, ...listeners, properties };
    return new DockerNode(volume ? { ...node, volume } : node);
  });
  return { brokers, cleanUp };
}

/** The cluster id that is kept with the data, because brokers refuse the data of another cluster. */
async function keptClusterId(directory: string): Promise<string> {
  await mkdir(directory, { recursive: true });
  const file = join(directory, 'cluster-id');
  const kept = await readFile(file, 'utf8').catch(() => undefined);
  if (kept) return kept.trim();
  const id = newClusterId();
  await writeFile(file, `${id}\n`);
  return id;
}

// Waits for all steps even if one fails: stop(), which follows, would miss a broker that is still launching.
async function all(steps: readonly Promise<void>[]): Promise<void> {
  const failed = (await Promise.allSettled(steps)).find((step) => step.status === 'rejected');
  if (failed) throw failed.reason;
}

async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = [];
  while (ports.length < count) ports.push(await freePort());
  return ports;
}
