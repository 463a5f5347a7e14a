// The one list of the connections of all processes: which of them have a place, and their device_ids and zipcodes. It
// answers each event with orders, and never touches a socket.
import type { Log } from '../log/log.ts';
import { crashedState, type PresenceState } from '../protocol/presence-state.ts';
import type { ServerFullReason } from '../protocol/server-full.ts';
import { MIN_DEVICES, ResumeTable } from '../resume/resume-table.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { DeviceTable, type Holder, type Takeover } from './device-table.ts';
import { KeyCounts } from './key-counts.ts';
import type { EndedBy } from './settlement.ts';

/** An event of a connection. Its process numbers its connections. */
export type ConnectionEvent =
  /** It was accepted and waits for its place. */
  | { readonly type: 'asks'; readonly number: number; readonly address: string }
  /** It has its place and is served. Only with KAFKA_TOPIC_PRESENCE, as `presence` of the others. */
  | { readonly type: 'served'; readonly number: number; readonly presence: PresenceState }
  | {
      readonly type: 'identified';
      readonly number: number;
      readonly zipcode: string | undefined;
      readonly deviceId: string | undefined;
      /** It waits for the order `resumed`. */
      readonly resumes?: boolean;
      readonly presence?: PresenceState | undefined;
    }
  /** Its device has ended it, or nothing more is taken from it. Only with a device_id, as the next one. */
  | { readonly type: 'ended'; readonly number: number; readonly by: EndedBy }
  /** It has ended, and all of it has settled. Before or after `closed`. */
  | { readonly type: 'settled'; readonly number: number; readonly storedSeq: number | null }
  /** It has ended, or no longer waits. */
  | { readonly type: 'closed'; readonly number: number; readonly presence?: PresenceState | undefined };

/** An order to the process of a connection. */
export type ConnectionOrder =
  | { readonly type: 'admit'; readonly number: number; readonly afterMs: number }
  | { readonly type: 'refuse'; readonly number: number; readonly reason: ServerFullReason }
  /** Another connection has its device_id. */
  | {
      readonly type: 'replace';
      readonly number: number;
      readonly reconnectAfterMs: number;
      readonly message: string;
    }
  /** The answer to a connection that resumes. Null = not known. */
  | { readonly type: 'resumed'; readonly number: number; readonly storedSeq: number | null };

interface Entry extends Holder {
  readonly process: number;
  readonly number: number;
  readonly address: string;
  zipcode: string | undefined;
  deviceId: string | undefined;
  /** Its latest state, and when it was served, milliseconds since 1970. */
  presence?: { readonly state: PresenceState; readonly sinceMs: number };
}

/**
 * Called for each state of a connection, in the order in which the ledger decided.
 * @param hasDeviceId the connection has its device_id, and no other one
 */
export type PresenceListener = (state: PresenceState, hasDeviceId: boolean) => void;

export class ConnectionLedger {
  readonly admission: Admission;
  /** The seq that is stored for each device. */
  readonly resumes: ResumeTable;
  readonly #order: (process: number, order: ConnectionOrder) => void;
  readonly #entries = new Map<number, Map<number, Entry>>();
  readonly #devices: DeviceTable<Entry>;
  readonly #zipcodes = new KeyCounts();
  readonly #presence: PresenceListener | undefined;

  /** @param order called at once, perhaps before handle() returns */
  constructor(
    options: AdmissionOptions,
    {
      order,
      log,
      presence,
    }: {
      order: (process: number, order: ConnectionOrder) => void;
      log: Log;
      presence?: PresenceListener | undefined;
    },
  ) {
    this.admission = new Admission(options);
    this.#devices = new DeviceTable({
      log,
      granted: (entry, waitedMs) => this.#resume(entry, waitedMs),
      refused: (takeover) => this.#replace(takeover),
    });
    this.resumes = new ResumeTable({
      maxDevices: Math.max(MIN_DEVICES, 2 * options.maxConnections),
      answer: ({ process, number }, storedSeq) =>
        order(process, { type: 'resumed', number, storedSeq: storedSeq ?? null }),
    });
    this.#order = order;
    this.#presence = presence;
  }

  /** Different zipcodes of the open connections. */
  get uniqueZipcodes(): number {
    return this.#zipcodes.size;
  }

  handle(process: number, event: ConnectionEvent): void {
    switch (event.type) {
      case 'asks':
        this.#ask(process, event);
        break;
      case 'served':
        this.#served(this.#of(process).get(event.number), event.presence);
        break;
      case 'identified':
        this.#identified(process, event);
        break;
      case 'ended':
        this.#ended(this.#of(process).get(event.number), event.by);
        break;
      case 'settled':
        this.resumes.settled({ process, number: event.number }, event.storedSeq ?? undefined);
        break;
      case 'closed':
        this.#close(this.#of(process).get(event.number), event.presence);
        break;
    }
  }

  /** The process has crashed, and its connections with it. */
  removeAll(process: number): void {
    for (const entry of [...this.#of(process).values()]) this.#close(entry);
    // Last: the end of one connection may have given its device_id to another one of this process.
    this.resumes.lost(process);
  }

  #of(process: number): Map<number, Entry> {
    const entries = this.#entries.get(process) ?? new Map<number, Entry>();
    this.#entries.set(process, entries);
    return entries;
  }

  #ask(process: number, { number, address }: { number: number; address: string }): void {
    const verdict = this.admission.admit(address);
    if ('reason' in verdict) {
      this.#order(process, { type: 'refuse', number, reason: verdict.reason });
      return;
    }
    const entry: Entry = { process, number, address, zipcode: undefined, deviceId: undefined };
    this.#of(process).set(number, entry);
    this.#order(process, { type: 'admit', number, afterMs: verdict.afterMs });
  }

  #identified(
    process: number,
    {
      number,
      zipcode,
      deviceId,
      resumes = false,
      presence,
    }: Extract<ConnectionEvent, { type: 'identified' }>,
  ): void {
    const entry = this.#of(process).get(number);
    if (entry === undefined) return;
    entry.zipcode = zipcode;
    if (zipcode !== undefined) this.#zipcodes.add(zipcode);
    if (deviceId === undefined) {
      this.#tell(entry, presence);
      return;
    }
    entry.deviceId = deviceId;
    const takeover = this.#devices.identified(deviceId, entry, resumes);
    // Before the order, which may end this connection at once.
    this.#tell(entry, presence);
    if (takeover !== undefined) this.#replace(takeover);
    if (this.#devices.isHolder(deviceId, entry)) this.resumes.identified(entry, { deviceId, resumes });
    else if (!resumes) this.resumes.forget(deviceId);
  }

  /** Only a connection that resumes waits for its device_id. */
  #resume(entry: Entry, waitedMs: number): void {
    const { deviceId } = entry;
    if (deviceId === undefined) return;
    // It was told under its own id while it waited.
    this.#tell(entry, entry.presence?.state);
    this.resumes.identified(entry, { deviceId, resumes: true, waitedMs });
  }

  #ended(entry: Entry | undefined, by: EndedBy): void {
    if (entry?.deviceId !== undefined) this.#devices.ended(entry.deviceId, entry, by);
  }

  #served(entry: Entry | undefined, presence: PresenceState): void {
    if (entry === undefined) return;
    entry.presence = { state: presence, sinceMs: presence.atMs };
    this.#tell(entry, presence);
  }

  #tell(entry: Entry, state: PresenceState | undefined): void {
    const { presence, deviceId } = entry;
    if (state === undefined || presence === undefined) return;
    entry.presence = { ...presence, state };
    this.#presence?.(state, deviceId !== undefined && this.#devices.isHolder(deviceId, entry));
  }

  #replace({ loser, reconnectAfterMs, message }: Takeover<Entry>): void {
    const { process, number } = loser;
    this.#order(process, { type: 'replace', number, reconnectAfterMs, message });
  }

  #close(entry: Entry | undefined, state?: PresenceState): void {
    if (entry === undefined) return;
    const { process, number, address, zipcode, deviceId, presence } = entry;
    const { sinceMs = 0 } = presence ?? {};
    // While it is known whether the connection has the device_id.
    this.#tell(entry, state ?? (presence && crashedState(presence.state, { sinceMs, nowMs: Date.now() })));
    this.#of(process).delete(number);
    this.admission.release(address);
    if (deviceId !== undefined) {
      this.#devices.closed(deviceId, entry);
      this.resumes.closed(entry, deviceId);
    }
    if (zipcode !== undefined) this.#zipcodes.remove(zipcode);
  }
}
