// Runs the ZooKeeper that keeps the state of a Kafka before 3.3, as one Java process of this machine.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { toPropertiesFile } from './config.ts';
import { serverFlags } from './java-node.ts';
import { freePort } from './ports.ts';
import { exitOf, onParentDeath } from './process.ts';
import type { JavaRuntime } from './runtime.ts';

const MAIN = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
/** The shortest session is two ticks. */
const TICK_MS = 500;

export class ZooKeeper {
  readonly address: string;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  private constructor(port: number, child: ChildProcess) {
    this.address = `127.0.0.1:${port}`;
    this.#child = child;
    const callOff = child.pid === undefined ? undefined : onParentDeath(['kill', '-9', String(child.pid)]);
    this.#exited = exitOf(child).then(() => callOff?.());
  }

  /** Does not wait: brokers wait for ZooKeeper, and log it if it does not answer. @param home holds its directory */
  static async start(runtime: JavaRuntime, home: string): Promise<ZooKeeper> {
    const directory = join(home, 'zookeeper');
    await mkdir(directory, { recursive: true });
    const port = await freePort();
    const config = join(directory, 'zookeeper.properties');
    const properties = {
      dataDir: join(directory, 'data'),
      clientPort: String(port),
      clientPortAddress: '127.0.0.1',
      tickTime: String(TICK_MS),
      // The admin server would listen on 8080, the gateway's port.
      'admin.enableServer': 'false',
    };
    await writeFile(config, toPropertiesFile(properties));
    const flags = await serverFlags(runtime, { directory, heap: '256m', quickJit: true });
    const log = await open(join(directory, 'zookeeper.log'), 'w');
    const child = spawn(runtime.java, [...flags, '-cp', runtime.classPath, MAIN, config], {
      cwd: directory,
      stdio: ['ignore', log.fd, log.fd],
      // As for the brokers: Ctrl-C ends only us, and we stop ZooKeeper after the brokers.
      detached: true,
    });
    const zooKeeper = new ZooKeeper(port, child);
    await log.close();
    return zooKeeper;
  }

  /** ZooKeeper has a write-ahead log, so killing it loses nothing. */
  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}
