// The processes of a simulated cluster: brokers that are killed, frozen, cut off and started again, the controller that
// hears of it, and the listeners in front of them. It knows nothing of topics and clients.
import { BrokerNode, type ClusterContext } from './broker-node.ts';
import type { BrokerClock } from './clock.ts';
import { Controller } from './controller.ts';
import type { Image, NodeAddress } from './image.ts';
import type { BrokerSocket } from './socket.ts';

export interface Listener {
  close(): void;
}

/** Opens a broker's port, and hands out its connections. */
export type Listen = (address: NodeAddress, serve: (socket: BrokerSocket) => void) => Promise<Listener>;

export interface BrokersOptions {
  readonly clock: BrokerClock;
  readonly nodes: readonly NodeAddress[];
  readonly listen: Listen;
  /** Told of each fault and change, in words. */
  readonly note?: (words: string) => void;
  /** broker.session.timeout.ms. Default: 9 s, as in Kafka. */
  readonly sessionMs?: number;
  /** From the start of a process to its registration. Default: 1.5 s. */
  readonly startMs?: number;
  readonly defaultPartitions?: number;
  /** Default: the number of brokers. */
  readonly defaultReplication?: number;
  /** Milliseconds from a change to each broker's knowledge of it. */
  readonly imageMs?: () => number;
  readonly replicationMs?: () => number;
  readonly serviceMs?: () => number;
  /** False as before Kafka 2.5: error 59 for a producer that a leader does not know. */
  readonly takesUnknownProducers?: boolean;
  /** connections.max.idle.ms. Default: 10 minutes. */
  readonly maxIdleMs?: number;
  readonly maxRequestBytes?: number;
}

export const DEFAULTS = { sessionMs: 9000, startMs: 1500, maxIdleMs: 600_000, maxRequestBytes: 104_857_600 };

export abstract class Cluster {
  protected readonly options: BrokersOptions;
  protected readonly nodes = new Map<number, BrokerNode>();
  protected readonly isolated = new Set<number>();
  protected controller: Controller;
  readonly #listeners = new Map<number, Listener>();
  #clusters = 0;

  constructor(options: BrokersOptions) {
    this.options = options;
    this.controller = this.#newController();
  }

  /** Ends every broker and listener. */
  close(): void {
    this.controller.stop();
    for (const id of this.nodes.keys()) this.#down(id, 'at once');
  }

  get clusterId(): string {
    return this.controller.image.clusterId;
  }

  get image(): Image {
    return this.controller.image;
  }

  get nodeIds(): number[] {
    return [...this.nodes.keys()];
  }

  node(nodeId: number): BrokerNode {
    const node = this.nodes.get(nodeId);
    if (node === undefined) throw new RangeError(`no broker ${nodeId}`);
    return node;
  }

  /** Called before the cluster loses all of its data. */
  protected abstract burying(): void;

  /** Makes the brokers, and resolves when every one listens. */
  protected async open(context: ClusterContext): Promise<void> {
    for (const address of this.options.nodes)
      this.nodes.set(address.nodeId, new BrokerNode(address, this.controller.image, context));
    await Promise.all(this.nodeIds.map((id) => this.#open(id)));
  }

  /** SIGKILL: connections are reset, nothing in memory is told to anybody. The log stays. */
  kill(nodeId: number): void {
    this.note(`broker ${nodeId} is killed`);
    this.#down(nodeId, 'at once');
    this.isolated.delete(nodeId);
    this.controller.silent(nodeId);
  }

  /** SIGTERM: the broker first hands over its partitions. */
  stop(nodeId: number): void {
    this.note(`broker ${nodeId} stops in order`);
    this.controller.silent(nodeId, true);
    this.#down(nodeId, 'in order');
    this.isolated.delete(nodeId);
  }

  /** Resolves when the broker serves again: not before its former session has ended, and the process has started. */
  start(nodeId: number): Promise<void> {
    const node = this.node(nodeId);
    if (node.isUp) return Promise.resolve();
    const { clock, startMs = DEFAULTS.startMs } = this.options;
    const waitMs = Math.max(startMs, this.controller.mayRegisterAtMs(nodeId) - clock.nowMs());
    return new Promise((resolve, reject) => {
      clock.after(waitMs, () => {
        if (node.isUp) {
          resolve();
          return;
        }
        this.note(`broker ${nodeId} runs again`);
        this.controller.heard(nodeId, true);
        node.begin(this.controller.image);
        this.#open(nodeId).then(resolve, reject);
      });
    });
  }

  /** SIGSTOP: its connections stay open, and nothing is read or answered. */
  freeze(nodeId: number): void {
    if (!this.node(nodeId).runs) return;
    this.note(`broker ${nodeId} is frozen`);
    this.node(nodeId).freeze();
    this.controller.silent(nodeId);
  }

  /** SIGCONT. Until the next image reaches it, the broker knows only the former one. */
  thaw(nodeId: number): void {
    const node = this.node(nodeId);
    if (!node.isFrozen) return;
    this.note(`broker ${nodeId} runs on`);
    node.thaw();
    this.controller.heard(nodeId, false);
    for (const other of this.nodes.values()) if (other.runs) other.resumeAll();
  }

  /** Cuts a broker off from controller and brokers, but not from clients: a leader that does not know it is none. */
  isolate(nodeId: number): void {
    if (this.isolated.has(nodeId)) return;
    this.note(`broker ${nodeId} is cut off from the other brokers`);
    this.isolated.add(nodeId);
    this.controller.silent(nodeId);
  }

  rejoin(nodeId: number): void {
    if (!this.isolated.delete(nodeId)) return;
    this.note(`broker ${nodeId} reaches the other brokers again`);
    const node = this.node(nodeId);
    if (node.runs) this.controller.heard(nodeId, false);
    this.#tell(node, this.controller.image);
    for (const other of this.nodes.values()) if (other.runs) other.resumeAll();
  }

  /** Another cluster, without data, behind the same addresses. Resolves when its brokers serve. */
  async wipe(): Promise<void> {
    this.note('the cluster is wiped');
    this.burying();
    this.controller.stop();
    for (const node of this.nodes.values()) {
      this.#down(node.id, 'at once');
      node.replicas.clear();
    }
    this.isolated.clear();
    this.controller = this.#newController();
    await Promise.all(this.nodeIds.map((id) => this.start(id)));
  }

  protected note(words: string): void {
    this.options.note?.(words);
  }

  #down(nodeId: number, how: 'at once' | 'in order'): void {
    this.#listeners.get(nodeId)?.close();
    this.#listeners.delete(nodeId);
    if (this.node(nodeId).isUp) this.node(nodeId).end(how);
  }

  async #open(nodeId: number): Promise<void> {
    const node = this.node(nodeId);
    const listener = await this.options.listen(node.address, (socket) => node.serve(socket));
    if (node.isUp && !this.#listeners.has(nodeId)) this.#listeners.set(nodeId, listener);
    else listener.close();
  }

  #newController(): Controller {
    const { clock, nodes, sessionMs = DEFAULTS.sessionMs } = this.options;
    const { defaultPartitions = 10, defaultReplication = nodes.length } = this.options;
    const id = Math.floor(clock.random() * 2 ** 48).toString(36);
    return new Controller({
      clock,
      nodes,
      clusterId: `simulated-${++this.#clusters}-${id}`,
      sessionMs,
      defaultPartitions,
      defaultReplication,
      published: (image) => {
        for (const node of this.nodes.values()) this.#tell(node, image);
      },
    });
  }

  #tell(node: BrokerNode, image: Image): void {
    const { clusterId } = image;
    node.after(this.options.imageMs?.() ?? 0, () => {
      // A wiped cluster counts its images from 1 again.
      const isHere = node.isUp && node.image.clusterId === clusterId;
      if (isHere && !this.isolated.has(node.id)) node.learn(image);
    });
  }
}
