// A broker as a Java process of this machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { brokerProperties, type SaslListener, toPropertiesFile } from './config.ts';
import type { BrokerNode } from './node.ts';
import { exitOf, onParentDeath, run } from './process.ts';
import type { JavaRuntime } from './runtime.ts';

const FORMAT_TIMEOUT_MS = 60_000;
const LOG_TAIL_LINES = 20;

// The serial collector has no threads of its own to wake up, so a broker at rest leaves the CPU alone, and
// half a gigabyte is collected fast enough without help.
const JVM_FLAGS = ['-XX:+UseSerialGC', '-XX:-UsePerfData', '-Djava.awt.headless=true'];
const BROKER_FLAGS = [...JVM_FLAGS, '-Xmx512m', '-Dlog4j2.level=WARN'];
/** For short-lived commands: the optimizing compiler would cost more than it gives back. */
export const TOOL_FLAGS = [...JVM_FLAGS, '-Xmx256m', '-XX:TieredStopAtLevel=1'];

export interface JavaNodeOptions {
  readonly id: number;
  readonly port: number;
  readonly controllerPorts: readonly number[];
  readonly clusterId: string;
  readonly directory: string;
  readonly sasl: SaslListener | undefined;
  readonly properties: Readonly<Record<string, string>>;
  readonly quickJit: boolean;
}

export class JavaNode implements BrokerNode {
  readonly id: number;
  readonly address: string;
  readonly dataDir: string;
  readonly #runtime: JavaRuntime;
  readonly #options: JavaNodeOptions;
  readonly #logFile: string;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();

  constructor(runtime: JavaRuntime, options: JavaNodeOptions) {
    this.id = options.id;
    this.address = `127.0.0.1:${options.port}`;
    this.dataDir = join(options.directory, 'data');
    this.#runtime = runtime;
    this.#options = options;
    this.#logFile = join(options.directory, 'broker.log');
  }

  async launch(): Promise<void> {
    const { directory, quickJit } = this.#options;
    const config = await this.#writeConfig();
    if (!existsSync(join(this.dataDir, 'meta.properties'))) await this.#format(config);
    const log = await open(this.#logFile, 'w');
    const flags = [...BROKER_FLAGS, ...(quickJit ? ['-XX:TieredStopAtLevel=1'] : [])];
    const child = spawn(
      this.#runtime.java,
      [...flags, '-cp', this.#runtime.classPath, 'kafka.Kafka', config],
      {
        cwd: directory,
        stdio: ['ignore', log.fd, log.fd],
        // Its own process group: Ctrl-C is for us, and we stop the broker in our own time.
        detached: true,
      },
    );
    this.#child = child;
    const callOff = child.pid === undefined ? undefined : onParentDeath(['kill', '-9', String(child.pid)]);
    this.#exited = exitOf(child).then(() => {
      // Before the pid can belong to anyone else.
      callOff?.();
      if (this.#child === child) this.#child = undefined;
    });
    await log.close();
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    this.#child?.kill(signal);
  }

  async isRunning(): Promise<boolean> {
    return this.#child !== undefined;
  }

  async exited(): Promise<void> {
    await this.#exited;
  }

  async logTail(): Promise<string> {
    const text = await readFile(this.#logFile, 'utf8').catch(() => '');
    return text.trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n');
  }

  async remove(): Promise<void> {}

  async #writeConfig(): Promise<string> {
    const { id, port, controllerPorts, directory, sasl, properties } = this.#options;
    const controller = controllerPorts[id - 1];
    await mkdir(directory, { recursive: true });
    const file = join(directory, 'server.properties');
    const config = brokerProperties({
      id,
      brokers: controllerPorts.length,
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${controller}`,
      advertised: `PLAINTEXT://127.0.0.1:${port}`,
      protocols: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      interBroker: 'PLAINTEXT',
      voters: controllerPorts.map((voter, index) => `${index + 1}@127.0.0.1:${voter}`).join(','),
      dataDir: this.dataDir,
      host: '127.0.0.1',
      sasl,
      overrides: properties,
    });
    await writeFile(file, toPropertiesFile(config));
    return file;
  }

  async #format(config: string): Promise<void> {
    const tool = ['kafka.tools.StorageTool', 'format', '-t', this.#options.clusterId, '-c', config];
    const args = [...TOOL_FLAGS, '-cp', this.#runtime.classPath, ...tool];
    const result = await run(this.#runtime.java, args, FORMAT_TIMEOUT_MS);
    if (result.exitCode === 0) return;
    throw new Error(`Kafka could not format ${this.dataDir}:\n${result.stdout}${result.stderr}`);
  }
}

/** A cluster id in Kafka's form, which as an argument must not begin with a dash. */
export function newClusterId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? newClusterId() : id;
}
