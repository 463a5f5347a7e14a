// Devices of an upgrade: each has a seq that goes on over its connections, sends when it is told to, and is done when all
// of it is stored. The judge compares that with the topic.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect } from 'node:net';
import { createInterface } from 'node:readline';
import { readTopic } from '../support/kafka.ts';

const ANSWER_MS = 60_000;

interface Reply {
  readonly status: string;
  readonly code?: string;
  readonly seq?: number;
  readonly stored_seq?: number | null;
}

export class Sender {
  readonly id: string;
  /** The seq of the newest reading, from 1. All up to it are stored. */
  sent = 0;
  readonly #resumes: boolean;

  constructor(id: string, { resumes = false } = {}) {
    this.id = id;
    this.#resumes = resumes;
  }

  /**
   * Connects, sends new readings, and resolves when all of them are stored.
   * @param refused sends a line that is refused as well
   * @returns `stored_seq` of the answer to identify
   */
  async send(port: number, count: number, { refused = false } = {}): Promise<number | null | undefined> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true });
    const timer = setTimeout(
      () => socket.destroy(new Error(`${this.id}: no answer within ${ANSWER_MS} ms`)),
      ANSWER_MS,
    );
    const first = this.sent + 1;
    let told: number | null | undefined;
    let isDone = false;
    try {
      await once(socket, 'connect');
      const identify = {
        type: 'identify',
        zipcode: this.id,
        city: 'x',
        device_id: this.id,
        ...(this.#resumes && { resume: true }),
      };
      socket.write(`${JSON.stringify(identify)}\n`);
      for await (const line of createInterface({ input: socket })) {
        const reply = JSON.parse(line) as Reply;
        if (reply.status === 'identified') {
          told = reply.stored_seq;
          if (refused) socket.write('{"type":"nonsense"}\n');
          socket.write(this.#lines(first, count));
          this.sent += count;
          isDone = count === 0;
          if (isDone) break;
        } else if (reply.status === 'stored') {
          isDone = reply.seq === this.sent;
          if (isDone) break;
        } else if (!(refused && reply.code === 'invalid_message')) {
          assert.fail(`${this.id}: ${line}`);
        }
      }
      assert.ok(isDone, `${this.id}: the connection ended before all was stored`);
      return told;
    } finally {
      clearTimeout(timer);
      socket.destroy();
    }
  }

  #lines(first: number, count: number): string {
    return Array.from(
      { length: count },
      (_, n) => `{"type":"metrics","seq":${first + n},"data":{"n":${first + n}}}\n`,
    ).join('');
  }
}

export const sendersOf = (count: number, options: { resumes?: boolean } = {}): Sender[] =>
  Array.from({ length: count }, (_, n) => new Sender(`roof-${n}`, options));

/**
 * Every reading that was stored is in the topic once, in order.
 * @param orderOf of all readings of a device, or of those of each connection: the disks of several processes promise no more
 */
export async function assertOnceInOrder(
  bootstrap: string,
  topic: string,
  { senders, orderOf = 'device' }: { senders: readonly Sender[]; orderOf?: 'device' | 'connection' },
): Promise<void> {
  const total = senders.reduce((sum, { sent }) => sum + sent, 0);
  const records = await readTopic(bootstrap, topic, total, ANSWER_MS);
  const read = records.map(({ value }) => JSON.parse(String(value)) as Reading);
  for (const { id, sent } of senders) {
    const own = read.filter((record) => record.device_id === id);
    const seqs = own.map(({ seq }) => seq);
    if (orderOf === 'connection') {
      for (const connection of new Set(own.map((one) => one.connection_id))) assertRising(own, connection);
      seqs.sort((a, b) => a - b);
    }
    assert.deepEqual(
      seqs,
      Array.from({ length: sent }, (_, n) => n + 1),
      `${id}: ${sent} readings are stored, and the topic has ${seqs.length}`,
    );
  }
  assert.equal(records.length, total, 'the topic has no other records');
}

interface Reading {
  readonly connection_id: string;
  readonly device_id: string;
  readonly seq: number;
}

function assertRising(readings: readonly Reading[], connection: string): void {
  const seqs = readings.filter((one) => one.connection_id === connection).map(({ seq }) => seq);
  assert.deepEqual(
    seqs,
    seqs.toSorted((a, b) => a - b),
    `the order of connection ${connection}`,
  );
}
