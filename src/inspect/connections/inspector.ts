// Finds connections of a process for operators, and closes those that an operator names. It reads the counters that
// connections keep anyway. Passes over all connections go in slices, one at a time.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { addressText } from '../../config/ip-address.ts';
import type { ConnectionFacts, ServedConnection } from '../../server/connection-facts.ts';
import { returnWindowMs } from '../../server/departures.ts';
import { pauseWords } from '../../server/read-pauses.ts';
import { Gate, MAX_WAITING } from '../gate.ts';
import { inSlices } from '../slices.ts';
import { FirstRows } from './first-rows.ts';
import type { Kicked, KickOrder, KickTarget } from './kick.ts';
import type { ConnectionPage, ConnectionQuery, ConnectionRow, ConnectionSort } from './page.ts';
import { ConnectionRates, meanRates, type Rates } from './rates.ts';

export interface ConnectionSources {
  /** By their id. */
  readonly served: ReadonlyMap<string, ServedConnection>;
  /** Accepted, and not served yet. */
  readonly arrivals: () => Iterable<ConnectionFacts>;
  readonly closed: () => Iterable<ConnectionFacts>;
}

/** Half of QUESTION_LIMITS.timeoutMs. */
const MAX_WAIT_MS = 1000;
/** reconnect_after_ms if the operator names none: at least this, and up to as much later. Many get more time. */
const USUAL_RECONNECT_MS = 5000;

const NO_RATES: Rates = { bytesPerSecond: 0, linesPerSecond: 0 };

export class ConnectionInspector {
  readonly #sources: ConnectionSources;
  readonly #rates = new ConnectionRates();
  readonly #questions = new Gate(MAX_WAITING.connections);
  readonly #kicks = new Gate(MAX_WAITING.kicks);
  /** Found by a kick, and not told yet. */
  readonly #leaving = new Set<ServedConnection>();

  constructor(sources: ConnectionSources) {
    this.#sources = sources;
  }

  async page(query: ConnectionQuery): Promise<ConnectionPage> {
    const askedAtMs = performance.now();
    const page = this.#questions.enter(async () => {
      // Whoever asked would have given up before the end of the pass.
      if (performance.now() - askedAtMs > MAX_WAIT_MS) return 'busy';
      return query.state === 'open' ? this.#ofOpen(query) : this.#ofClosed(query);
    });
    return (await page) ?? 'busy';
  }

  /** Answers once the connections are found. If they are many, they are told one after the other. */
  async kick({ target, reconnectAfterMs }: KickOrder): Promise<Kicked> {
    const found = await this.#find(target);
    if (found === undefined) return 'busy';
    const spreadMs = Math.max(USUAL_RECONNECT_MS, returnWindowMs(found.length));
    void inSlices(found, (one) => {
      this.#leaving.delete(one);
      one.kick(reconnectAfterMs ?? Math.round(USUAL_RECONNECT_MS + Math.random() * spreadMs));
    });
    return { kicked: found.length };
  }

  /** Those that nobody has kicked. Undefined if too many kicks wait. */
  async #find(target: KickTarget): Promise<readonly ServedConnection[] | undefined> {
    const { served } = this.#sources;
    const found: ServedConnection[] = [];
    const take = (one: ServedConnection) => {
      if (!one.canBeKicked || this.#leaving.has(one)) return;
      this.#leaving.add(one);
      found.push(one);
    };
    if ('connectionId' in target) {
      const one = served.get(target.connectionId);
      if (one !== undefined) take(one);
      return found;
    }
    return this.#kicks.enter(async () => {
      await inSlices(presentIn(served), (one) => {
        if (isTarget(one, target)) take(one);
      });
      return found;
    });
  }

  async #ofOpen(query: ConnectionQuery): Promise<ConnectionPage> {
    const { served } = this.#sources;
    const pass = await this.#rates.begin((first) =>
      inSlices(presentIn(served), (one) => {
        first.next(one);
      }),
    );
    const page = await pageOf(query, this.#open(), (one) => (isServed(one) ? pass.next(one) : NO_RATES));
    this.#rates.end(pass);
    return page;
  }

  #ofClosed(query: ConnectionQuery): Promise<ConnectionPage> {
    // A copy: the ring goes on meanwhile.
    return pageOf(query, [...this.#sources.closed()], meanRates);
  }

  *#open(): Iterable<ConnectionFacts> {
    yield* presentIn(this.#sources.served);
    yield* this.#sources.arrivals();
  }
}

interface Found {
  readonly one: ConnectionFacts;
  readonly rates: Rates;
}

/** @param ratesOf is called for each item in order */
async function pageOf(
  query: ConnectionQuery,
  items: Iterable<ConnectionFacts>,
  ratesOf: (one: ConnectionFacts) => Rates,
): Promise<ConnectionPage> {
  const first = new FirstRows<Found>(query.limit, query.after);
  const sign = query.order === 'desc' ? -1 : 1;
  let total = 0;
  let matching = 0;
  await inSlices(items, (one) => {
    total++;
    const rates = ratesOf(one);
    if (!isWanted(one, query)) return;
    matching++;
    const key = sign * sortValue(one, query.sort, rates);
    first.offer({ key, id: one.id, item: { one, rates } });
  });
  // The rows are work for a turn of their own, and so is their JSON.
  await nextTurn();
  const rows = first.rows.map(({ key, item: { one, rates } }) => ({ key, ...rowOf(one, rates) }));
  await nextTurn();
  return { rows, hasMore: first.hasMore, matching, total };
}

/** Those that are not are in no order that a sample could follow. */
function isServed({ stage }: ConnectionFacts): boolean {
  return stage !== 'proxy' && stage !== 'place' && stage !== 'tls';
}

/** Those that are there now. Ones that come meanwhile could be without end. */
function* presentIn(served: ReadonlyMap<string, ServedConnection>): Iterable<ServedConnection> {
  let left = served.size;
  for (const connection of served.values()) {
    if (left-- === 0) return;
    yield connection;
  }
}

function isTarget(one: ConnectionFacts, target: Exclude<KickTarget, { connectionId: string }>): boolean {
  if ('deviceId' in target) return one.deviceId === target.deviceId;
  return addressText(one.remoteAddress) === target.address;
}

function isWanted(one: ConnectionFacts, { search, deviceId, address, zipcode }: ConnectionQuery): boolean {
  if (deviceId !== undefined && one.deviceId !== deviceId) return false;
  if (zipcode !== undefined && one.zipcode !== zipcode) return false;
  if (address !== undefined && addressText(one.remoteAddress) !== address) return false;
  return search === undefined || isFound(one, search);
}

function isFound(one: ConnectionFacts, search: string): boolean {
  const has = (text: string | undefined) => text?.toLowerCase().includes(search) === true;
  // These two have no capitals.
  if (one.id.includes(search) || one.remoteAddress.includes(search)) return true;
  return has(one.deviceId) || has(one.zipcode) || has(one.city);
}

function sortValue(one: ConnectionFacts, sort: ConnectionSort, { bytesPerSecond }: Rates): number {
  const { openedAtMs, end } = one;
  switch (sort) {
    // The time itself does not change from page to page, as an age would.
    case 'age':
      return end === undefined ? -epochMs(openedAtMs) : end.atMs - openedAtMs;
    case 'rate':
      return bytesPerSecond;
    case 'bytes':
      return one.receivedBytes;
    case 'lines':
      return one.receivedLines;
    case 'errors':
      return one.refusedLines;
    case 'closed':
      return end === undefined ? 0 : epochMs(end.atMs);
  }
}

function rowOf(one: ConnectionFacts, { bytesPerSecond, linesPerSecond }: Rates): ConnectionRow {
  const { openedAtMs, end } = one;
  const untilMs = end?.atMs ?? performance.now();
  return {
    connection_id: one.id,
    device_id: one.deviceId ?? null,
    address: one.remoteAddress,
    zipcode: one.zipcode ?? null,
    city: one.city ?? null,
    stage: one.stage,
    tls: one.isTls,
    since: timeText(openedAtMs),
    age_ms: Math.round(untilMs - openedAtMs),
    bytes: one.receivedBytes,
    lines: one.receivedLines,
    refused: one.refusedLines,
    bytes_per_second: Math.round(bytesPerSecond),
    lines_per_second: Math.round(linesPerSecond * 10) / 10,
    paused: pauseWords(one.pauses),
    last_code: one.lastCode ?? null,
    ...(end !== undefined && { closed_at: timeText(end.atMs), reason: end.reason }),
  };
}

function epochMs(monotonicMs: number): number {
  return performance.timeOrigin + monotonicMs;
}

function timeText(monotonicMs: number): string {
  return new Date(epochMs(monotonicMs)).toISOString();
}
