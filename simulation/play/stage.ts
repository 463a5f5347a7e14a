// The parts of one history: the world, the machines in it, the gateway and its devices; and the faults that are there now,
// each with the way to undo it.
import { dirname } from 'node:path';
import type { Disk } from '../disk/disk.ts';
import type { DiskOp } from '../disk/faults.ts';
import { Fleet } from '../fleet/fleet.ts';
import type { Excuse, TopicLog } from '../judge/facts.ts';
import { Findings } from '../judge/findings.ts';
import type { Network } from '../network/network.ts';
import type { World } from '../world/world.ts';
import { BROKER_PORT, brokerHost, deviceHost, GATEWAY } from './addresses.ts';
import { damagedRecords } from './damaged-records.ts';
import type { Kafka } from './kafka.ts';
import type { Step } from './plan.ts';
import { bytesIn, DEAD, type Scene, SPOOL_DIR, TCP_PORT } from './scene.ts';
import { Supervisor } from './supervisor.ts';

/** A batch may grow to so many times KAFKA_BATCH_SIZE while others are in flight. */
const MAX_GROWTH = 16;
/** Nothing of a fault is felt any more so long after its end, if the figures of the gateway are good. */
const PEACE_MS = 5_000;
/** Steps that keep no record from Kafka. */
const PEACEFUL: ReadonlySet<string> = new Set([
  'stop',
  'fewer-processes',
  'topic-compacted',
  'retention',
  ...['device-cut', 'device-resets', 'device-power', 'device-half-close', 'device-twin', 'device-deaf'],
  ...['reply-lost', 'lines-lost', 'strangers', 'second-gateway'],
]);
const NO_LIMIT = '9223372036854775807';

export class Stage {
  readonly scene: Scene;
  readonly world: World;
  readonly kafka: Kafka;
  readonly gateway: Supervisor;
  readonly fleet: Fleet;
  readonly wrong = new Findings();
  readonly excuses = new Set<Excuse>();
  /** Undoes the faults that are there now. */
  readonly #undo = new Set<() => void>();
  /** What the gateway had counted when records first went straight to Kafka: a start uses the disk for a moment. */
  calmFrom: { readonly retries: number; readonly spooled: number } | undefined;
  /** Records of the batches of the spool in which a bit has flipped. */
  flippedRecords = 0;
  #diskFaults = 0;
  /** When a step last came that can keep records from Kafka, and how many there were. */
  #harm = { atMs: 0, count: 0 };
  #isHealed = false;
  /** The gateway's clock was ahead, so records may have times in the future. */
  #wasAhead = false;
  #clockOffMs = 0;

  constructor(scene: Scene, world: World, kafka: Kafka) {
    this.scene = scene;
    this.world = world;
    this.kafka = kafka;
    Object.assign(world.cpu, scene.cpu);
    this.gateway = new Supervisor(world, {
      env: scene.env,
      wrong: this.wrong,
      mayFail: () => this.#diskFaults > 0,
      peace: () => this.#peace(),
    });
    this.fleet = new Fleet(world, {
      ...scene,
      host: GATEWAY,
      port: TCP_PORT,
      maxLineBytes: bytesIn(scene.env.TCP_MAX_LINE_BYTES ?? ''),
      needsDeviceId: scene.env.TCP_IDENTIFY === 'device_id',
      remembersSince: (ms) => this.gateway.remembersSince(ms),
      dropsLines: scene.env.TCP_JOB_QUEUE_FULL === 'drop',
    });
  }

  get network(): Network {
    return this.world.network;
  }

  get disk(): Disk {
    return this.world.disk;
  }

  /** The settings name a topic for dead letters. */
  get keepsLetters(): boolean {
    return this.scene.env.KAFKA_TOPIC_DEAD_LETTERS !== '';
  }

  get letters(): TopicLog[] | undefined {
    return this.keepsLetters ? this.kafka.logsOf(DEAD) : undefined;
  }

  /** The machines start. */
  begin(): void {
    this.#setLinks();
    // The parent of the spool must be there.
    this.disk.put(`${dirname(SPOOL_DIR)}/.keep`, '');
    this.gateway.start();
    this.fleet.start();
    const { brokersLateMs } = this.scene;
    if (brokersLateMs > 0) this.killBrokers(this.kafka.brokers.nodeIds, brokersLateMs);
  }

  close(): void {
    this.fleet.close();
    this.kafka.brokers.close();
  }

  /** Plays the fault of a step now. */
  play({ number, kind, parameters }: Step): void {
    if (this.#isHealed) return;
    this.world.note(`step ${number}, ${kind.name}: ${kind.words(parameters)}`);
    for (const excuse of kind.excuses ?? []) this.excuses.add(excuse);
    if (kind.name === 'second-gateway') this.gateway.hasRival = true;
    if (!PEACEFUL.has(kind.name)) this.#harm = { atMs: this.world.nowMs, count: this.#harm.count + 1 };
    kind.play(this, parameters);
  }

  /** Begins a fault now, and ends it after so many milliseconds, or earlier when everything is healed. */
  readonly during = (lastsMs: number, begin: () => void, end: () => void): void => {
    begin();
    const undo = () => {
      if (this.#undo.delete(undo)) end();
    };
    this.#undo.add(undo);
    this.world.after(lastsMs, undo, this.world.outside);
  };

  /** Meanwhile a start may be refused. @param begin returns the way to end the fault */
  duringDiskFault(lastsMs: number, begin: () => () => void): void {
    let end = () => {};
    this.during(
      lastsMs,
      () => {
        this.#diskFaults++;
        end = begin();
      },
      () => {
        this.#diskFaults--;
        end();
      },
    );
  }

  /** Plays something once so many milliseconds later, unless everything is healed by then. */
  later(delayMs: number, work: () => void): void {
    this.world.after(
      delayMs,
      () => {
        if (!this.#isHealed) work();
      },
      this.world.outside,
    );
  }

  /** Plays something again and again, until everything is healed. */
  repeat(times: number, everyMs: number, work: () => void): void {
    for (let n = 0; n < times; n++) this.later(n * everyMs, work);
  }

  /** Ends every fault. Nothing that a step does later begins a new one. */
  heal(): void {
    this.#isHealed = true;
    this.world.note('all faults end');
    for (const undo of [...this.#undo]) undo();
    this.disk.heal();
    this.network.heal();
    this.#setLinks();
    // Otherwise Kafka refuses them until that time has come.
    if (this.#wasAhead) this.kafka.setting('message.timestamp.after.max.ms', NO_LIMIT);
    void this.kafka.brokers.heal();
  }

  cutBrokers(nodes: readonly number[], lastsMs: number): void {
    this.during(
      lastsMs,
      () => {
        for (const node of nodes) this.network.cut(GATEWAY, brokerHost(node));
      },
      () => {
        for (const node of nodes) this.network.heal(GATEWAY, brokerHost(node));
      },
    );
  }

  killBrokers(nodes: readonly number[], lastsMs: number): void {
    const { brokers } = this.kafka;
    this.during(
      lastsMs,
      () => {
        for (const node of nodes) brokers.kill(node);
      },
      () => {
        for (const node of nodes) void brokers.start(node);
      },
    );
  }

  refuseBroker(node: number, lastsMs: number): void {
    const host = brokerHost(node);
    this.during(
      lastsMs,
      () => {
        this.network.refuse(host, BROKER_PORT);
        this.network.reset(GATEWAY, host);
      },
      () => this.network.accept(host, BROKER_PORT),
    );
  }

  slowBrokerLink(node: number, delayMs: number, lastsMs: number): void {
    const link = (delay: number) => this.network.link(GATEWAY, brokerHost(node), { delayMs: delay });
    this.during(
      lastsMs,
      () => link(delayMs),
      () => link(this.scene.brokerDelayMs),
    );
  }

  slowDevices(link: { readonly bytesPerMs: number; readonly segmentBytes: number }, lastsMs: number): void {
    const set = (settings: Partial<typeof link>) => {
      for (let device = 0; device < this.scene.devices; device++)
        this.network.link(deviceHost(device), GATEWAY, settings);
    };
    this.during(
      lastsMs,
      () => set(link),
      () => set({ bytesPerMs: 1e5, segmentBytes: 65_536 }),
    );
  }

  topicSetting(name: string, values: { during: string; after: string }, lastsMs: number): void {
    this.during(
      lastsMs,
      () => this.kafka.setting(name, values.during),
      () => this.kafka.setting(name, values.after),
    );
  }

  /** kill -9 of every process of the gateway. With `power` its machine loses what was not synced. */
  crashGateway(kind: 'process' | 'power', restartMs: number): void {
    this.gateway.kill(restartMs);
    if (kind === 'process') return;
    if (this.scene.env.SPOOL_SYNC === 'os') this.excuses.add('unsynced-power-cut');
    this.disk.crash('power', this.world.random('power cut'));
  }

  /** The wall clock of the gateway's machine is so much further off. */
  shiftClock(byMs: number): void {
    this.#wasAhead ||= byMs > 0;
    this.#clockOffMs += byMs;
    this.world.setWallClock(
      this.world.inside(this.world.outside, () => this.world.wallMs) + this.#clockOffMs,
    );
  }

  flipBit(): void {
    const isOfSegment = (path: string) => path.startsWith(SPOOL_DIR) && path.endsWith('.log');
    const flip = this.disk.flipBit(this.world.random('bit flip'), isOfSegment);
    const segment = flip && this.disk.contentOf(flip.path);
    if (segment === undefined) return;
    const most = Number(this.scene.env.KAFKA_BATCH_SIZE) * MAX_GROWTH;
    this.flippedRecords += damagedRecords(segment, flip as { position: number; bit: number }, most);
  }

  failDisk(op: DiskOp, code: string, { times, lastsMs }: { times: number; lastsMs: number }): void {
    this.duringDiskFault(lastsMs, () => this.disk.fail(op, code, { times }));
  }

  fillDisk(freeBytes: number, lastsMs: number): void {
    const { limitBytes } = this.disk;
    this.duringDiskFault(lastsMs, () => {
      this.disk.limitBytes = this.disk.usedBytes + freeBytes;
      return () => {
        this.disk.limitBytes = limitBytes;
      };
    });
  }

  #peace(): number | undefined {
    const { atMs, count } = this.#harm;
    return this.#undo.size > 0 || this.world.nowMs - atMs < PEACE_MS ? undefined : count;
  }

  /** The links as the scene has them. */
  #setLinks(): void {
    for (let node = 1; node <= this.scene.brokers; node++)
      this.network.link(GATEWAY, brokerHost(node), { delayMs: this.scene.brokerDelayMs });
  }
}
