// Simulated devices, each with a ledger of what it sent and what it was told, and the check of Kafka's records against
// the ledgers: missing, duplicated, changed or out of order. Independent of the load tool and its verification on
// purpose: a mistake there must not hide the same mistake here.
import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import type { TestContext } from 'node:test';
import { partitionOf } from '../../src/kafka/batches/partitioner.ts';
import type { Reply } from '../support/device.ts';
import { waitFor } from '../support/wait.ts';

interface Entry {
  readonly seq: number;
  /** The reading's JSON text. */
  readonly data: string;
}

/** One device with its ledger. Sequences begin at 1; each message asks for confirmation. */
export class FleetDevice {
  readonly zipcode: string;
  readonly deviceId: string;
  readonly socket: Socket;
  connectionId = '';
  /** Every reading that was written to the socket, in order. */
  readonly ledger: Entry[] = [];
  lastSeq = 0;
  /** The seq of each `stored`, in order of arrival. */
  readonly stored: number[] = [];
  readonly errors: Reply[] = [];
  closing: Reply | undefined;
  ended = false;
  #rest = '';

  constructor(port: number, device: { zipcode: string; deviceId: string }) {
    this.zipcode = device.zipcode;
    this.deviceId = device.deviceId;
    this.socket = connect({ port, host: '127.0.0.1', noDelay: true });
    this.socket.on('error', () => {});
    this.socket.on('close', () => {
      this.ended = true;
    });
    this.socket.on('data', (chunk: Buffer) => this.#onData(chunk.toString()));
    this.socket.write(
      `{"type":"identify","zipcode":"${this.zipcode}","city":"${CITY}","device_id":"${this.deviceId}"}\n`,
    );
  }

  get lastStored(): number {
    return this.stored.at(-1) ?? 0;
  }

  /** Sends messages of one reading each, in one write. False if the socket is full. */
  send(messages = 1): boolean {
    return this.sendShaped(new Array<number>(messages).fill(1));
  }

  /** Sends a message for each number, with as many readings: 1 is an object, more are an array. */
  sendShaped(shape: readonly number[]): boolean {
    return this.socket.write(shape.map((readings) => this.#message(readings)).join(''));
  }

  #message(readings: number): string {
    const seq = ++this.lastSeq;
    const texts = Array.from({ length: readings }, (_, i) => `${reading(this.deviceId, seq)},"i":${i}}`);
    for (const data of texts) this.ledger.push({ seq, data });
    return `{"type":"metrics","seq":${seq},"data":${readings === 1 ? texts[0] : `[${texts}]`}}\n`;
  }

  #onData(text: string): void {
    const lines = (this.#rest + text).split('\n');
    this.#rest = lines.pop() ?? '';
    for (const line of lines) {
      const reply = JSON.parse(line) as Reply;
      if (reply.status === 'identified') this.connectionId = reply.connection_id ?? '';
      else if (reply.status === 'stored') this.stored.push(reply.seq ?? Number.NaN);
      else if (reply.status === 'closing') this.closing = reply;
      else this.errors.push(reply);
    }
  }
}

const CITY = 'Beverly Hills';
const CONNECT_WAVE = 250;

/** A reading without its last brace. Its numbers are written as JavaScript would not print them. */
function reading(deviceId: string, seq: number): string {
  const big = `1234567890${String(seq).padStart(10, '0')}`;
  return `{"timestamp":"2026-11-21T08:00:00Z","from":"${deviceId}","big":${big},"t":21.50,"e":-1E+2,"ok":true`;
}

/** Connects devices until the test ends. @param zipcodes how many, given to the devices in turn */
export async function connectFleet(
  t: TestContext,
  { port }: { readonly port: number },
  { devices, zipcodes }: { devices: number; zipcodes: number },
): Promise<FleetDevice[]> {
  const fleet: FleetDevice[] = [];
  t.after(() => disconnect(fleet));
  while (fleet.length < devices) {
    for (let left = CONNECT_WAVE; left > 0 && fleet.length < devices; left--) {
      const n = fleet.length;
      fleet.push(new FleetDevice(port, { zipcode: `zip-${n % zipcodes}`, deviceId: `d${n}` }));
    }
    await waitFor('every device is identified', () => fleet.every(({ connectionId }) => connectionId !== ''));
  }
  return fleet;
}

export function disconnect(fleet: readonly FleetDevice[]): void {
  for (const { socket } of fleet) socket.destroy();
}

export async function allStored(fleet: readonly FleetDevice[], deadlineMs?: number): Promise<void> {
  const behind = () => fleet.filter((device) => device.lastStored !== device.lastSeq);
  await waitFor('each device’s last seq is stored', () => behind().length === 0, deadlineMs).catch(
    (error: unknown) => {
      const [first] = behind();
      const example = first && `${first.deviceId} sent ${first.lastSeq}, stored ${first.lastStored}`;
      throw new Error(`${behind().length} devices are not told stored, such as: ${example}`, {
        cause: error,
      });
    },
  );
  for (const device of fleet) assertHonestStored(device);
}

/** Confirmations rise, and none names a seq that was not sent. */
export function assertHonestStored({ stored, lastSeq, deviceId }: FleetDevice): void {
  for (const [i, seq] of stored.entries()) {
    assert.ok(seq > (stored[i - 1] ?? 0) && seq <= lastSeq, `${deviceId} was told ${stored.join(' ')}`);
  }
}

export const ledgerSize = (fleet: readonly FleetDevice[]): number =>
  fleet.reduce((sum, { ledger }) => sum + ledger.length, 0);

/** A record, from any consumer. */
export interface ReadBack {
  readonly partition: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: Buffer | null;
  readonly value: Buffer | null;
}

/**
 * Checks that each device's readings are there once, in order, byte for byte, in the partition that Java would choose,
 * and nothing else. `upTo` gives the number of readings expected of a device; by default all of them.
 */
export function assertLedger(
  fleet: readonly FleetDevice[],
  records: readonly ReadBack[],
  { partitions, upTo }: { partitions: number; upTo?: (device: FleetDevice) => number },
): void {
  const byConnection = new Map<string, ReadBack[]>(fleet.map(({ connectionId }) => [connectionId, []]));
  const sorted = [...records].sort((a, b) => a.partition - b.partition || a.offset - b.offset);
  for (const record of sorted) {
    const { connection_id: id } = JSON.parse(String(record.value)) as { connection_id: string };
    const found = byConnection.get(id);
    assert.ok(found, `a record of a connection that no device had: ${record.value}`);
    found.push(record);
  }
  for (const device of fleet) {
    const { zipcode, deviceId, connectionId, ledger } = device;
    const found = byConnection.get(connectionId) ?? [];
    const expected = upTo === undefined ? ledger : ledger.slice(0, upTo(device));
    const key = Buffer.from(zipcode);
    for (const [i, record] of found.entries()) {
      const entry = expected[i];
      const head = `{"connection_id":"${connectionId}","zipcode":"${zipcode}","city":"${CITY}"`;
      const receivedAt = new Date(record.timestamp).toISOString();
      const rest = `"received_at":"${receivedAt}","device_id":"${deviceId}","seq":${entry?.seq},"data":${entry?.data}}`;
      // Build the assertion's text only on failure: it would take most of the time of a large ledger.
      if (String(record.value) === `${head},${rest}` && record.key?.equals(key)) continue;
      assert.equal(`${record.key} ${record.value}`, `${zipcode} ${head},${rest}`, `${deviceId}, record ${i}`);
    }
    assert.equal(found.length, expected.length, `records of ${deviceId}`);
    const wrong = found.find(({ partition }) => partition !== partitionOf(key, partitions));
    assert.equal(wrong, undefined, `${deviceId} in another partition than Java's`);
  }
}
