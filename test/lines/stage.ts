// A gateway with a port for plain lines inside the test's process, and its senders.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import type { ConnectionOptions } from 'node:tls';
import { headerList, recordHeaders, recordParts } from '../../src/kafka/batches/record-body.ts';
import { unpack } from '../../src/kafka/batches/split-batch.ts';
import { type LogPlace, listLogs, listSegments, readSegment } from '../../src/spool/inspect.ts';
import { Device } from '../support/device.ts';
import { type Env, type Gateway, startGateway } from '../support/gateway.ts';
import { noteRecord } from '../support/traffic/records.ts';
import { waitFor } from '../support/wait.ts';

export interface SpooledRecord {
  readonly topic: string;
  readonly key: string;
  readonly value: string;
  readonly headers: Readonly<Record<string, string>>;
}

export interface LinesGateway extends Gateway {
  readonly linesPort: number;
  /** They are gone after the test. */
  readonly senders: Device[];
  /** The records, once the gateway has stopped. */
  records(): Promise<SpooledRecord[]>;
  letters(): Promise<SpooledRecord[]>;
}

export async function linesGateway(t: TestContext, env: Env = {}): Promise<LinesGateway> {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-lines-'));
  const gateway = await startGateway({ TCP_LINES_PORT: '0', SPOOL_DIR: directory, ...env });
  const senders: Device[] = [];
  t.after(async () => {
    // A stop waits for a sender that does not end its side.
    for (const one of senders) one.destroy();
    await gateway.stop();
    rmSync(directory, { recursive: true });
  });
  return {
    ...gateway,
    senders,
    linesPort: gateway.addresses.lines?.port ?? 0,
    async records() {
      await gateway.stop();
      return spooled(directory, 'readings');
    },
    async letters() {
      await gateway.stop();
      return spooled(directory, 'dead letters');
    },
  };
}

/** In this process: `sluice spool cat` would take a second for each test. */
async function spooled(directory: string, kind: LogPlace['kind']): Promise<SpooledRecord[]> {
  const all: SpooledRecord[] = [];
  for (const place of await listLogs(directory)) {
    if (place.kind !== kind) continue;
    for (const segment of await listSegments(place))
      for await (const found of readSegment(segment)) {
        assert.ok(found.kind === 'batch');
        for (const { body } of await unpack(found.bytes)) {
          const { key, value } = recordParts(body);
          all.push({ topic: place.topic, key: `${key}`, value: `${value}`, headers: recordHeaders(body) });
          const headers = Object.fromEntries(headerList(body).map(([name, bytes]) => [name, [bytes]]));
          noteRecord(place.topic, { key: kind === 'dead letters' ? null : key, value, headers });
        }
      }
  }
  return all;
}

/** Without TLS unless the test says so. */
export async function sender(
  gateway: LinesGateway,
  { tls, localAddress = '127.0.0.1' }: { tls?: ConnectionOptions; localAddress?: string } = {},
): Promise<Device> {
  const one = await Device.connect(gateway.linesPort, { tls, localAddress });
  gateway.senders.push(one);
  return one;
}

export const handled = (gateway: Gateway, lines: { accepted?: number; refused?: number }): Promise<unknown> =>
  waitFor(`${JSON.stringify(lines)} lines`, () => {
    const { plain } = gateway.snapshot().lines;
    return plain.accepted === (lines.accepted ?? 0) && plain.refused === (lines.refused ?? 0);
  });

/** Ends its side, and expects ours without a byte. */
export async function leaves(one: Device): Promise<void> {
  one.halfClose();
  assert.deepEqual(await one.rest(), []);
  assert.equal(one.error, undefined);
}
