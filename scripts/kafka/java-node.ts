// Runs one broker as a Java process of this machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, open, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { freeze } from '../lib/proc.ts';
import { KafkaBroker } from './broker.ts';
import { classArchive } from './class-archive.ts';
import {
  brokerProperties,
  type SaslListener,
  type TlsListener,
  tokenFlags,
  toPropertiesFile,
  ZOOKEEPER_SESSION_MS,
} from './config.ts';
import { formatStorage } from './formatted-storage.ts';
import { exitOf, onParentDeath, run } from './process.ts';
import type { JavaRuntime } from './runtime.ts';

const FORMAT_TIMEOUT_MS = 60_000;
const LOG_TAIL_LINES = 20;
/** ZooKeeper looks for expired sessions once a tick. */
const SESSION_CHECK_MS = 1_000;

const LOG4J_1 = toPropertiesFile({
  'log4j.rootLogger': 'WARN, stdout',
  'log4j.appender.stdout': 'org.apache.log4j.ConsoleAppender',
  'log4j.appender.stdout.layout': 'org.apache.log4j.PatternLayout',
  'log4j.appender.stdout.layout.ConversionPattern': '[%d] %p %m (%c)%n',
});

// The serial collector has no threads of its own, so an idle broker needs no CPU. It suffices for half a gigabyte.
const JVM_FLAGS = ['-XX:+UseSerialGC', '-XX:-UsePerfData', '-Djava.awt.headless=true'];
/** For short commands: the optimizing compiler would cost more time than it saves. */
export const TOOL_FLAGS = [...JVM_FLAGS, '-Xmx256m', '-XX:TieredStopAtLevel=1'];

export interface JavaNodeOptions {
  readonly id: number;
  readonly port: number;
  readonly controllerPorts: readonly number[];
  /** host:port of the ZooKeeper, for versions that need it. */
  readonly zooKeeper: string | undefined;
  readonly clusterId: string;
  readonly directory: string;
  readonly sasl: SaslListener | undefined;
  readonly tls: TlsListener | undefined;
  readonly properties: Readonly<Record<string, string>>;
  readonly quickJit: boolean;
}

export class JavaNode extends KafkaBroker {
  readonly id: number;
  readonly address: string;
  readonly dataDir: string;
  readonly #runtime: JavaRuntime;
  readonly #options: JavaNodeOptions;
  readonly #logFile: string;
  #clusterId: string;
  #child: ChildProcess | undefined;
  #exited: Promise<unknown> = Promise.resolve();
  #makesArchive = false;
  /** Time of the last SIGKILL, after which the broker's session in ZooKeeper goes on. */
  #killedAtMs = -Infinity;

  constructor(runtime: JavaRuntime, options: JavaNodeOptions) {
    super();
    this.id = options.id;
    this.address = `127.0.0.1:${options.port}`;
    this.dataDir = join(options.directory, 'data');
    this.#runtime = runtime;
    this.#options = options;
    this.#clusterId = options.clusterId;
    this.#logFile = join(options.directory, 'broker.log');
  }

  async launch(): Promise<void> {
    const { directory, zooKeeper, quickJit } = this.#options;
    const config = await this.#writeConfig();
    if (zooKeeper !== undefined) await this.#formerSessionEnds();
    else if (!existsSync(join(this.dataDir, 'meta.properties')))
      await formatStorage(
        `${this.#runtime.archives}-formatted`,
        { dataDir: this.dataDir, nodeId: this.id, clusterId: this.#clusterId },
        () => this.#format(config),
      );
    const log = await open(this.#logFile, 'w');
    const flags = await serverFlags(this.#runtime, { directory, heap: '512m', quickJit });
    // The last of three brokers cannot end in order, since no quorum is left.
    const archive = classArchive(this.#runtime, 'broker', this.#options.controllerPorts.length === 1);
    this.#makesArchive = archive.isMade;
    const child = spawn(
      this.#runtime.java,
      [
        ...[...flags, ...tokenFlags(this.#options.sasl), ...archive.flags],
        ...['-cp', this.#runtime.classPath, 'kafka.Kafka', config],
      ],
      {
        cwd: directory,
        stdio: ['ignore', log.fd, log.fd],
        // A process group of its own, so that Ctrl-C ends only us, and we stop the broker.
        detached: true,
      },
    );
    this.#child = child;
    const callOff = child.pid === undefined ? undefined : onParentDeath(['kill', '-9', String(child.pid)]);
    this.#exited = exitOf(child).then(async () => {
      // Before another process can get the pid.
      callOff?.();
      if (this.#child === child) this.#child = undefined;
      await archive.keep();
    });
    await log.close();
  }

  get endsInOrder(): boolean {
    return this.#makesArchive;
  }

  async signal(signal: NodeJS.Signals): Promise<void> {
    if (signal === 'SIGKILL' && this.#child !== undefined) this.#killedAtMs = performance.now();
    const pid = this.#child?.pid;
    // A broker that is only about to stop would answer the next request.
    if (signal === 'SIGSTOP' && pid !== undefined) await freeze(pid);
    else this.#child?.kill(signal);
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

  async wipe(): Promise<void> {
    if (this.#options.zooKeeper !== undefined)
      throw new Error('the cluster id is in ZooKeeper, which is not wiped');
    await rm(this.dataDir, { recursive: true, force: true });
    this.#clusterId = newClusterId();
  }

  async remove(): Promise<void> {}

  /** ZooKeeper refuses the broker's id while the session of the killed process lasts. */
  async #formerSessionEnds(): Promise<void> {
    const overAtMs = this.#killedAtMs + ZOOKEEPER_SESSION_MS + SESSION_CHECK_MS;
    await sleep(Math.max(0, overAtMs - performance.now()));
  }

  async #writeConfig(): Promise<string> {
    const { id, port, controllerPorts, zooKeeper, directory, sasl, tls, properties } = this.#options;
    const controller = controllerPorts[id - 1];
    await mkdir(directory, { recursive: true });
    const ownQuorum = {
      voters: controllerPorts.map((voter, index) => `${index + 1}@127.0.0.1:${voter}`).join(','),
    };
    const file = join(directory, 'server.properties');
    const config = brokerProperties({
      id,
      brokers: controllerPorts.length,
      listeners: `PLAINTEXT://127.0.0.1:${port}${zooKeeper ? '' : `,CONTROLLER://127.0.0.1:${controller}`}`,
      advertised: `PLAINTEXT://127.0.0.1:${port}`,
      protocols: 'PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT',
      interBroker: 'PLAINTEXT',
      quorum: zooKeeper === undefined ? ownQuorum : { zooKeeper },
      dataDir: this.dataDir,
      host: '127.0.0.1',
      sasl,
      tls,
      overrides: properties,
    });
    await writeFile(file, toPropertiesFile(config));
    return file;
  }

  async #format(config: string): Promise<void> {
    const tool = ['kafka.tools.StorageTool', 'format', '-t', this.#clusterId, '-c', config];
    const archive = classArchive(this.#runtime, 'format');
    const args = [...TOOL_FLAGS, ...archive.flags, '-cp', this.#runtime.classPath, ...tool];
    const result = await run(this.#runtime.java, args, FORMAT_TIMEOUT_MS);
    await archive.keep();
    if (result.exitCode === 0) return;
    throw new Error(`Kafka could not format ${this.dataDir}:\n${result.stdout}${result.stderr}`);
  }
}

/** JVM flags of a server, which logs only warnings and errors. */
export async function serverFlags(
  { version }: JavaRuntime,
  { directory, heap, quickJit }: { directory: string; heap: string; quickJit: boolean },
): Promise<string[]> {
  const flags = [...JVM_FLAGS, `-Xmx${heap}`, ...(quickJit ? ['-XX:TieredStopAtLevel=1'] : [])];
  if (version.log4j === 2) return [...flags, '-Dlog4j2.level=WARN'];
  const file = join(directory, 'log4j.properties');
  await writeFile(file, LOG4J_1);
  return [...flags, `-Dlog4j.configuration=${pathToFileURL(file)}`];
}

/** A cluster id in Kafka's form. It must not begin with a dash, because it is passed as an argument. */
export function newClusterId(): string {
  const id = randomBytes(16).toString('base64url');
  return id.startsWith('-') ? newClusterId() : id;
}
