// A contestant that runs: a peer or a gateway, with a topic of its own and a process of devices that loads it.
import { randomBytes } from 'node:crypto';
import { Child } from '../../load/processes/child.ts';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { childrenOf, cpuSecondsOf } from '../../scripts/lib/proc.ts';
import type { LoadCalls } from '../devices/load-worker.ts';
import { PeerProcess } from '../peers/peer-process.ts';
import { LOAD } from '../servers/loaded-gateways.ts';
import { startOwnGateway } from '../servers/own-gateway.ts';
import type { ContestantEntry, OwnEntry, PeerEntry } from './duels.ts';

/** As many as the topic of a gateway has by default. */
const PARTITIONS = 10;

export interface ContestantOptions {
  readonly bootstrap: string;
  readonly connections: number;
  readonly signal: AbortSignal;
}

interface Running {
  readonly topic: string;
  readonly port: number;
  /** The first process. */
  readonly pid: number;
  explained(error: unknown): Error;
  stop(): Promise<void>;
}

export class Contestant {
  readonly entry: ContestantEntry;
  readonly topic: string;
  readonly load: Child<LoadCalls>;
  readonly #running: Running;
  readonly #connections: number;

  static async start(entry: ContestantEntry, options: ContestantOptions): Promise<Contestant> {
    const running = entry.kind === 'peer' ? await startPeer(entry, options) : await startOwn(entry, options);
    return new Contestant(entry, running, options);
  }

  private constructor(entry: ContestantEntry, running: Running, { connections, signal }: ContestantOptions) {
    this.entry = entry;
    this.topic = running.topic;
    this.#running = running;
    this.#connections = connections;
    this.load = new Child<LoadCalls>(LOAD, { signal });
  }

  get pids(): number[] {
    const { pid } = this.#running;
    return [pid, ...childrenOf(pid)];
  }

  /** User and system time of all its processes and their threads so far. */
  cpuSeconds(): number {
    return this.pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
  }

  /** The lines are the same bytes for all. Only devices say who they are first. */
  async connect(): Promise<void> {
    const { entry } = this;
    await this.load.call('connect', {
      port: this.#running.port,
      connections: this.#connections,
      linesPerWrite: 1,
      seq: false,
      identify: entry.kind === 'own' && !entry.plain,
    });
  }

  explained(error: unknown): Error {
    return this.#running.explained(error);
  }

  async stop(): Promise<void> {
    await this.load.stop();
    await this.#running.stop();
  }
}

async function startOwn({ settings, plain, node }: OwnEntry, options: ContestantOptions): Promise<Running> {
  const { bootstrap, signal } = options;
  const { server, topic, stop } = await startOwnGateway({ bootstrap, name: 'bench', settings, node, signal });
  const [pid] = server.pids;
  if (pid === undefined) throw new Error('the gateway has no process');
  return {
    topic,
    port: plain ? server.linesPort : server.tcpPort,
    pid,
    explained: (error) => server.explained(error),
    stop,
  };
}

async function startPeer(entry: PeerEntry, { bootstrap, connections }: ContestantOptions): Promise<Running> {
  const { installed, lingerMs } = entry;
  const topic = `sluice.bench.peer.${randomBytes(6).toString('hex')}`;
  const topics = [{ topic, numPartitions: PARTITIONS }];
  await withAdmin(bootstrap, (admin) => admin.createTopics({ topics, waitForLeaders: true }));
  const removeTopic = () => withAdmin(bootstrap, (admin) => admin.deleteTopics({ topics: [topic] }));
  let peer: PeerProcess;
  try {
    peer = await PeerProcess.start(installed, { bootstrap, topic, lingerMs, connections: 2 * connections });
  } catch (error) {
    await removeTopic().catch(() => {});
    throw error;
  }
  return {
    topic,
    port: peer.port,
    pid: peer.pid,
    explained: (error) => {
      const message = error instanceof Error ? error.message : String(error);
      return new Error(`${message}\nThe end of its output:\n${peer.said}`, { cause: error });
    },
    stop: async () => {
      try {
        await peer.stop();
      } finally {
        await removeTopic();
      }
    },
  };
}
