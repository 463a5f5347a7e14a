// Lets all senders send at the same time, through an outage of Kafka and two restarts of the gateway, and counts the
// messages that arrive in Kafka. Every wait is bounded.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Env, GatewayProcess } from '../../test/support/gateway-process.ts';
import { kafkaTakes } from '../../test/support/health.ts';
import { waitFor } from '../../test/support/wait.ts';
import { BrokerProxy } from '../kafka/broker-proxy.ts';
import { createTopic, deleteTopic } from '../kafka/client.ts';
import { freePort } from '../kafka/ports.ts';
import { TopicFollower } from './follower.ts';
import { type Running, type Sender, startIn } from './senders.ts';
import type { Tools } from './tools.ts';

/** The fault of each phase, while the second third of its messages is sent. */
export const PHASES = ['Kafka away', 'stopped by SIGTERM', 'killed by kill -9'] as const;

export interface Tally {
  readonly sent: number;
  readonly lost: number;
  readonly twice: number;
  readonly outOfOrder: number;
  /** The last message arrived. */
  readonly endsWell: boolean;
}

export interface SenderResult {
  readonly sender: Sender;
  /** One for each phase. */
  readonly tallies: readonly Tally[];
}

export interface PlayResult {
  readonly senders: readonly SenderResult[];
  /** Records on the gateway's disk at the end of the outage of Kafka. */
  readonly spooled: number;
}

export interface PlayOptions {
  readonly bootstrap: string;
  readonly topic: string;
  readonly tools: Tools;
  readonly senders: readonly Sender[];
  /** Of each sender in each phase. */
  readonly messages: number;
  /** Of each sender, a second. */
  readonly rate: number;
  /** Settings of the gateway. */
  readonly env?: Env;
  readonly say?: (line: string) => void;
}

const TICK_MS = 5;
/** Longer than a sender that keeps its messages needs to find the gateway again, and after their last messages came. */
const QUIET_MS = { without: 5_000, with: 1_000 };
const SETTLE_MS = 20_000;
const PROBE_MS = 250;
/** In the numbers of phases: messages that are not counted. */
const PROBES = 0;
const MAX_SAID = 2_000;

/** Names go into messages, and spaces would make them harder to find. */
const idOf = ({ name }: Sender): string => name.replace(/\W+/g, '-');

export async function play(options: PlayOptions): Promise<PlayResult> {
  const { bootstrap, topic } = options;
  const directory = mkdtempSync(join(tmpdir(), 'sluice-senders-'));
  await createTopic(bootstrap, topic, { partitions: 3 });
  const proxies = await BrokerProxy.before(bootstrap.split(','));
  const follower = await TopicFollower.start(bootstrap, topic);
  const linesPort = await freePort();
  const env: Env = {
    KAFKA_BROKERS: proxies.map(({ address }) => address).join(','),
    KAFKA_TOPIC_METRICS: topic,
    // kafkajs reads it.
    KAFKA_COMPRESSION: 'none',
    KAFKA_NUM_PARTITIONS: '3',
    TCP_LINES_PORT: String(linesPort),
    ...options.env,
  };
  const gateway = await GatewayProcess.reserve(directory, env);
  const play = new Play(options, { directory, linesPort, gateway, proxies, follower });
  try {
    await gateway.start();
    await waitFor('Kafka takes records', () => kafkaTakes(gateway.stats));
    await play.startSenders();
    const all: Tally[][] = [];
    for (const [index, phase] of PHASES.entries()) {
      options.say?.(phase);
      all.push(await play.phase(index + 1));
    }
    const senders = options.senders.map((sender, at) => ({
      sender,
      tallies: all.map((tallies) => tallies[at] as Tally),
    }));
    return { senders, spooled: play.spooled };
  } finally {
    await play.stopSenders();
    await gateway.close();
    for (const proxy of proxies) proxy.close();
    await follower.stop();
    await deleteTopic(bootstrap, topic).catch(() => undefined);
    rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
  }
}

interface Stage {
  readonly directory: string;
  readonly linesPort: number;
  readonly gateway: GatewayProcess;
  readonly proxies: readonly BrokerProxy[];
  readonly follower: TopicFollower;
}

class Play {
  spooled = 0;
  readonly #options: PlayOptions;
  readonly #stage: Stage;
  readonly #running = new Map<Sender, Running>();

  constructor(options: PlayOptions, stage: Stage) {
    this.#options = options;
    this.#stage = stage;
  }

  async startSenders(): Promise<void> {
    const { tools, senders } = this.#options;
    const { directory, linesPort } = this.#stage;
    const place = { host: '127.0.0.1', port: linesPort };
    const started = senders.map(async (sender) => {
      const running = await startIn(directory, sender, (own) => sender.start(tools, place, own));
      this.#running.set(sender, running);
    });
    const failed = (await Promise.allSettled(started)).find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
    await this.#allSend();
  }

  async stopSenders(): Promise<void> {
    await Promise.all([...this.#running.values()].map((running) => running.stop()));
  }

  /** Sends the messages of a phase, with its fault in the second third of them. */
  async phase(number: number): Promise<Tally[]> {
    const { messages } = this.#options;
    const fault = this.#faultOf(number);
    const third = Math.floor(messages / 3);
    await this.#send(number, 0, third);
    // Nobody waits here until the gateway has ended, so it is hit while all send.
    const sending = this.#send(number, third, 2 * third);
    await sleep(3 * TICK_MS);
    const begun = fault.begin();
    await sending;
    await begun;
    const ended = fault.end();
    await this.#send(number, 2 * third, messages);
    await ended;
    await this.#settled(number);
    const tallies = this.#options.senders.map((sender) => this.#tally(sender, number));
    await this.#allSend();
    return tallies;
  }

  #faultOf(number: number): { begin(): Promise<unknown>; end(): Promise<unknown> } {
    const { gateway, proxies } = this.#stage;
    const startAgain = () => gateway.start();
    switch (PHASES[number - 1]) {
      case 'Kafka away':
        return {
          begin: async () => {
            for (const proxy of proxies) proxy.refuse();
          },
          end: async () => {
            // On a busy machine the messages take a while to the disk.
            this.spooled = await waitFor(
              'records wait on the disk',
              () => gateway.stats.records.spooled || undefined,
            );
            await Promise.all(proxies.map((proxy) => proxy.accept()));
          },
        };
      case 'stopped by SIGTERM':
        return {
          begin: () => {
            gateway.signal('SIGTERM');
            return gateway.exited();
          },
          end: startAgain,
        };
      default:
        return { begin: () => gateway.kill(), end: startAgain };
    }
  }

  /** Messages `from` to `to` of each sender, at the rate of the run. */
  async #send(phase: number, from: number, to: number): Promise<void> {
    const { rate } = this.#options;
    const beganMs = performance.now();
    for (let sent = from; sent < to; ) {
      const due = Math.min(to, from + Math.floor(((performance.now() - beganMs) / 1000) * rate));
      for (; sent < due; sent++)
        for (const [sender, running] of this.#running) running.send(`${idOf(sender)}#${phase}#${sent}`);
      await sleep(TICK_MS);
    }
  }

  /** Until all that may still come has arrived, or nothing came for a while. */
  async #settled(phase: number): Promise<void> {
    const { senders, messages } = this.#options;
    const { follower } = this.#stage;
    const count = (sender: Sender) => follower.of(idOf(sender), phase).times.size;
    const isComplete = () => senders.every((sender) => count(sender) === messages);
    const haveEnded = () =>
      senders.every((one) => !one.keeps || follower.of(idOf(one), phase).times.has(messages - 1));
    let [records, sinceMs] = [-1, 0];
    await waitFor(`phase ${phase} settles`, () => {
      if (follower.records !== records) [records, sinceMs] = [follower.records, performance.now()];
      const quietMs = haveEnded() ? QUIET_MS.with : QUIET_MS.without;
      return isComplete() || performance.now() - sinceMs > quietMs;
    });
  }

  /** Until a message of each sender arrives, so that a phase begins with connections that work. */
  async #allSend(): Promise<void> {
    const { follower } = this.#stage;
    const before = new Map(
      [...this.#running.keys()].map((sender) => [sender, follower.of(idOf(sender), PROBES).times.size]),
    );
    const silent = () =>
      [...before].filter(([sender, size]) => follower.of(idOf(sender), PROBES).times.size <= size);
    const deadline = performance.now() + SETTLE_MS;
    for (let probe = Date.now(); silent().length > 0; probe++) {
      if (performance.now() > deadline) {
        const said = silent().map(([sender]) => `${sender.name}: ${this.#running.get(sender)?.said()}`);
        const log = this.#stage.gateway.logTail();
        throw new Error(`nothing comes from these:\n${said.join('\n').slice(-MAX_SAID)}\n${log}`);
      }
      for (const [sender] of silent()) this.#running.get(sender)?.send(`${idOf(sender)}#${PROBES}#${probe}`);
      await sleep(PROBE_MS);
    }
  }

  #tally(sender: Sender, phase: number): Tally {
    const { messages } = this.#options;
    const arrivals = this.#stage.follower.of(idOf(sender), phase);
    const { times, twice, outOfOrder } = arrivals;
    return {
      sent: messages,
      lost: messages - times.size,
      twice,
      outOfOrder,
      endsWell: times.has(messages - 1),
    };
  }
}
