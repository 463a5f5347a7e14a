// Runs one broker as a container, which is named by the broker's port, so that tools of another process find it.
import { createHash } from 'node:crypto';
import { KafkaBroker } from './broker.ts';
import { brokerProperties, type SaslListener, type TlsListener, tokenFlags } from './config.ts';
import { newClusterId } from './java-node.ts';
import { onParentDeath, run } from './process.ts';
import { dockerImage } from './runtime.ts';
import type { KafkaVersion } from './version.ts';

const DOCKER_TIMEOUT_MS = 60_000;
const LOG_TAIL_LINES = '20';
const CONTROLLER_PORT = 9093;
const DATA_DIR = '/var/lib/kafka/data';
/** The port for other brokers and for tools inside a container. */
export const INTERNAL_PORT = 19_092;

export const containerName = (port: number): string => `sluice-kafka-${port}`;

export interface DockerNodeOptions {
  readonly id: number;
  readonly ports: readonly number[];
  readonly network: string;
  readonly clusterId: string;
  readonly version: KafkaVersion;
  readonly sasl: SaslListener | undefined;
  readonly tls: TlsListener | undefined;
  readonly properties: Readonly<Record<string, string>>;
  /** The named volume that keeps the data. Without it, the data is removed with the container. */
  readonly volume?: string;
}

export class DockerNode extends KafkaBroker {
  readonly endsInOrder = false;
  readonly id: number;
  readonly address: string;
  readonly dataDir = DATA_DIR;
  readonly #name: string;
  readonly #port: number;
  readonly #options: DockerNodeOptions;
  #clusterId: string;
  #callOff: (() => void) | undefined;

  constructor(options: DockerNodeOptions) {
    super();
    this.id = options.id;
    this.#options = options;
    this.#clusterId = options.clusterId;
    this.#port = options.ports[options.id - 1] ?? 0;
    this.#name = containerName(this.#port);
    this.address = `127.0.0.1:${this.#port}`;
  }

  async launch(): Promise<void> {
    if (this.#callOff === undefined) {
      this.#callOff = onParentDeath(['docker', 'rm', '-f', '-v', this.#name]);
      await docker(this.#runArguments());
    } else {
      await docker(['start', this.#name]);
    }
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    await docker(['kill', '--signal', signal, this.#name]);
  }

  async isRunning(): Promise<boolean> {
    const state = await run('docker', ['inspect', '-f', '{{.State.Running}}', this.#name], DOCKER_TIMEOUT_MS);
    return state.stdout.toString().trim() === 'true';
  }

  async exited(): Promise<void> {
    await run('docker', ['wait', this.#name], DOCKER_TIMEOUT_MS);
  }

  async logTail(): Promise<string> {
    const logs = await run('docker', ['logs', '--tail', LOG_TAIL_LINES, this.#name], DOCKER_TIMEOUT_MS);
    return logs.stdout.toString() + logs.stderr;
  }

  async wipe(): Promise<void> {
    if (this.#options.volume) throw new Error('data that is kept between runs is not wiped');
    await this.remove();
    this.#clusterId = newClusterId();
  }

  async remove(): Promise<void> {
    await run('docker', ['rm', '-f', '-v', this.#name], DOCKER_TIMEOUT_MS);
    this.#callOff?.();
    this.#callOff = undefined;
  }

  #runArguments(): string[] {
    const { id, ports, network, version, sasl, tls, properties, volume } = this.#options;
    const port = this.#port;
    const config = brokerProperties({
      id,
      brokers: ports.length,
      listeners: `PLAINTEXT://:${port},INTERNAL://:${INTERNAL_PORT},CONTROLLER://:${CONTROLLER_PORT}`,
      advertised: `PLAINTEXT://127.0.0.1:${port},INTERNAL://${this.#name}:${INTERNAL_PORT}`,
      protocols: 'PLAINTEXT:PLAINTEXT,INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT',
      interBroker: 'INTERNAL',
      quorum: {
        voters: ports.map((p, index) => `${index + 1}@${containerName(p)}:${CONTROLLER_PORT}`).join(','),
      },
      dataDir: DATA_DIR,
      host: '',
      sasl,
      tls,
      overrides: properties,
    });
    const env = {
      ...environment(config),
      CLUSTER_ID: this.#clusterId,
      KAFKA_HEAP_OPTS: '-Xmx512m',
      KAFKA_OPTS: tokenFlags(sasl).join(' '),
    };
    const jwksFile = sasl?.tokens?.jwksFile;
    return [
      ...['run', '--detach', '--name', this.#name, '--hostname', this.#name, '--network', network],
      ...[port, sasl?.port, tls?.port].flatMap((open) =>
        open === undefined ? [] : ['--publish', `127.0.0.1:${open}:${open}`],
      ),
      ...(volume ? ['--volume', `${volume}:${DATA_DIR}`] : []),
      ...(jwksFile === undefined ? [] : ['--volume', `${jwksFile}:${jwksFile}:ro`]),
      ...Object.entries(env).flatMap(([name, value]) => ['--env', `${name}=${value}`]),
      dockerImage(version),
    ];
  }
}

/** Makes the cluster's network, in which brokers find each other by name. Returns the function that removes it. */
export async function createNetwork(name: string): Promise<() => Promise<void>> {
  await docker(['network', 'create', name]);
  return async () => {
    await run('docker', ['network', 'rm', name], DOCKER_TIMEOUT_MS);
  };
}

/** The name of the volume in place of a data directory, to which the image's user could not write. */
export const volumeName = (dataDir: string, id: number): string =>
  `sluice-${createHash('sha256').update(dataDir).digest('hex').slice(0, 12)}-${id}`;

export async function removeVolume(name: string): Promise<void> {
  await run('docker', ['volume', 'rm', '-f', name], DOCKER_TIMEOUT_MS);
}

// As the image expects it: a dot becomes one underscore, an underscore two, a dash three.
const environment = (properties: Readonly<Record<string, string>>): Record<string, string> =>
  Object.fromEntries(
    Object.entries(properties).map(([name, value]) => [
      `KAFKA_${name.toUpperCase().replaceAll('_', '__').replaceAll('-', '___').replaceAll('.', '_')}`,
      value,
    ]),
  );

async function docker(args: readonly string[]): Promise<void> {
  const result = await run('docker', args, DOCKER_TIMEOUT_MS);
  if (result.exitCode !== 0) throw new Error(`docker ${args[0]} failed: ${result.stderr.trim()}`);
}
