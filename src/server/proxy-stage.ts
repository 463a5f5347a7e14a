// The first stage of a connection, if TCP_PROXY_PROTOCOL is on: a trusted proxy has to send its header, complete and in
// time. Connections of other peers are not read here: the next stage refuses a header in them.
import type { Settings } from '../config/settings.ts';
import type { FatalCode } from '../protocol/codes.ts';
import { PROXY_FAULTS, type ProxyFault } from '../protocol/proxy-results.ts';
import * as replies from '../protocol/replies.ts';
import { LastReplies } from './last-replies.ts';
import { hearsReplies } from './port.ts';
import { type ProxyHeader, parseProxyHeader } from './proxy-header.ts';
import type { Arrival, Stage, StageHost } from './stage.ts';
import { NOT_SCHEDULED, type TimerOwner } from './timer-wheel.ts';
import { TrustedNetworks } from './trusted-networks.ts';
import { UnreadLimit } from './unread-limit.ts';

/** A proxy sends its header at once. A lost packet comes again within 3 s. */
const DEADLINE_MS = 5000;
/** As many as may wait for their place (acceptor.ts). A further one closes the oldest, so silence keeps no proxy out. */
const MAX_WAITING = 4096;
/** Of all headers that have come in part. One that comes at once is never held. */
const MAX_HELD_BYTES = 1024 * 1024;

type CompleteHeader = Extract<ProxyHeader, { state: 'complete' }>;
type Outcome = { readonly header: CompleteHeader; readonly rest: Buffer } | ProxyFault | 'gone';

export class ProxyStage implements Stage<Arrival> {
  readonly #host: StageHost;
  readonly #maxWaiting: number;
  readonly #trusted: TrustedNetworks;
  readonly #lastReplies = new LastReplies();
  /** Oldest first. */
  readonly #waiting = new Set<HeaderReader>();
  #heldBytes = 0;
  readonly #unread = new UnreadLimit();

  constructor(trusted: readonly string[], host: StageHost, maxWaiting = MAX_WAITING) {
    this.#host = host;
    this.#maxWaiting = maxWaiting;
    this.#trusted = new TrustedNetworks(trusted);
  }

  get size(): number {
    return this.#waiting.size;
  }

  *arrivals(): Iterable<Arrival> {
    for (const { arrival } of this.#waiting) yield arrival;
  }

  enter(arrival: Arrival, leave: (result: Arrival | undefined) => void): void {
    if (!this.#trusted.has(arrival.address)) {
      leave(arrival);
      return;
    }
    const [oldest] = this.#waiting;
    if (oldest !== undefined && this.#waiting.size >= this.#maxWaiting) oldest.end('overload');
    const { wheel } = this.#host;
    const reader = new HeaderReader(arrival, {
      hasRoom: (bytes) => this.#heldBytes + bytes <= MAX_HELD_BYTES,
      held: (bytes) => {
        this.#heldBytes += bytes;
      },
      ended: (outcome) => {
        this.#waiting.delete(reader);
        wheel.cancel(reader);
        leave(this.#settle(arrival, outcome));
      },
    });
    this.#waiting.add(reader);
    wheel.schedule(reader, DEADLINE_MS);
    reader.start();
  }

  close(): void {
    for (const reader of this.#waiting) reader.end('gone');
    this.#lastReplies.close();
  }

  /** The connection for the next stage, or undefined if it is closed. */
  #settle(arrival: Arrival, outcome: Outcome): Arrival | undefined {
    const { source } = arrival;
    if (outcome === 'gone') source.destroy();
    else if (typeof outcome === 'string') this.#refuse(arrival, outcome);
    else if (!this.#unread.putBack(source, outcome.rest)) this.#refuse(arrival, 'overload');
    else {
      const { source: client, isLocal } = outcome.header;
      this.#host.counters.proxyHeaders[client === undefined ? 'own' : 'client']++;
      return { ...arrival, address: client ?? arrival.address, isLocal };
    }
    return undefined;
  }

  #refuse({ source, address, port }: Arrival, fault: ProxyFault): void {
    const { counters, abuseLog } = this.#host;
    const code: FatalCode = 'wrong_protocol';
    counters.proxyHeaders[fault]++;
    counters.refused[code]++;
    counters.closed[code]++;
    abuseLog.proxyFault(fault, address);
    if (hearsReplies(port)) this.#lastReplies.end(source, replies.refused(code, PROXY_FAULTS[fault]));
    else source.destroy();
  }
}

interface HeaderReaderHost {
  hasRoom(bytes: number): boolean;
  /** The reader holds this many bytes more, or less. */
  held(bytes: number): void;
  /** Called once. */
  ended(outcome: Outcome): void;
}

/** Reads the header of one connection, and nothing behind it. */
class HeaderReader implements TimerOwner {
  readonly arrival: Arrival;
  wheelSlot = NOT_SCHEDULED;
  readonly #host: HeaderReaderHost;
  #bytes = Buffer.alloc(0);
  #isEnded = false;

  constructor(arrival: Arrival, host: HeaderReaderHost) {
    this.arrival = arrival;
    this.#host = host;
  }

  start(): void {
    const { source } = this.arrival;
    source.take({
      onBytes: (bytes) => this.#onBytes(bytes),
      onEnd: () => this.#onEnd(),
      onClose: () => this.#onEnd(),
    });
    source.resume();
  }

  onTimer(): void {
    this.end('timeout');
  }

  end(outcome: Outcome): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.arrival.source.pause();
    this.#host.held(-this.#bytes.length);
    this.#host.ended(outcome);
  }

  #onBytes(bytes: Uint8Array): void {
    const all = Buffer.concat([this.#bytes, bytes]);
    const header = parseProxyHeader(all);
    if (header.state === 'complete') this.end({ header, rest: all.subarray(header.length) });
    else if (header.state === 'refused') this.end(header.fault);
    else if (!this.#host.hasRoom(bytes.length)) this.end('overload');
    else {
      this.#bytes = all;
      this.#host.held(bytes.length);
    }
  }

  /** A proxy that only looks whether the port is open sends nothing. */
  #onEnd(): void {
    this.end(this.#bytes.length === 0 ? 'gone' : 'incomplete');
  }
}

/** Undefined if TCP_PROXY_PROTOCOL is off: a header is refused then, whoever sends it. */
export function proxyStage(settings: Settings, host: StageHost): ProxyStage | undefined {
  return settings.TCP_PROXY_PROTOCOL ? new ProxyStage(settings.TCP_PROXY_TRUSTED, host) : undefined;
}
