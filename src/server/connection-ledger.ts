// The one list of the connections of all processes: which of them have a place, and their device_ids and zipcodes. It
// answers each event with orders, and never touches a socket.
import type { Log } from '../log/log.ts';
import type { ServerFullReason } from '../protocol/server-full.ts';
import { Admission, type AdmissionOptions } from './admission.ts';
import { DeviceTable, type Takeover } from './device-table.ts';
import { KeyCounts } from './key-counts.ts';

/** An event of a connection. Its process numbers its connections. */
export type ConnectionEvent =
  /** It was accepted and waits for its place. */
  | { readonly type: 'asks'; readonly number: number; readonly address: string }
  | {
      readonly type: 'identified';
      readonly number: number;
      readonly zipcode: string;
      readonly deviceId: string | undefined;
    }
  /** It has ended, or no longer waits. */
  | { readonly type: 'closed'; readonly number: number };

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
    };

interface Entry {
  readonly process: number;
  readonly number: number;
  readonly address: string;
  zipcode: string | undefined;
  deviceId: string | undefined;
}

export class ConnectionLedger {
  readonly admission: Admission;
  readonly #order: (process: number, order: ConnectionOrder) => void;
  readonly #entries = new Map<number, Map<number, Entry>>();
  readonly #devices: DeviceTable<Entry>;
  readonly #zipcodes = new KeyCounts();

  /** @param order called at once, perhaps before handle() returns */
  constructor(
    options: AdmissionOptions,
    { order, log }: { order: (process: number, order: ConnectionOrder) => void; log: Log },
  ) {
    this.admission = new Admission(options);
    this.#devices = new DeviceTable({ log });
    this.#order = order;
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
      case 'identified':
        this.#identified(process, event);
        break;
      case 'closed':
        this.#close(this.#of(process).get(event.number));
        break;
    }
  }

  /** The process has crashed, and its connections with it. */
  removeAll(process: number): void {
    for (const entry of [...this.#of(process).values()]) this.#close(entry);
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
    { number, zipcode, deviceId }: Extract<ConnectionEvent, { type: 'identified' }>,
  ): void {
    const entry = this.#of(process).get(number);
    if (entry === undefined) return;
    entry.zipcode = zipcode;
    this.#zipcodes.add(zipcode);
    if (deviceId === undefined) return;
    entry.deviceId = deviceId;
    const takeover = this.#devices.identified(deviceId, entry);
    if (takeover !== undefined) this.#replace(takeover);
  }

  #replace({ loser, reconnectAfterMs, message }: Takeover<Entry>): void {
    const { process, number } = loser;
    this.#order(process, { type: 'replace', number, reconnectAfterMs, message });
  }

  #close(entry: Entry | undefined): void {
    if (entry === undefined) return;
    const { process, number, address, zipcode, deviceId } = entry;
    this.#of(process).delete(number);
    this.admission.release(address);
    if (deviceId !== undefined) this.#devices.closed(deviceId, entry);
    if (zipcode !== undefined) this.#zipcodes.remove(zipcode);
  }
}
