// Every device client before a gateway that follows a script: the waits of docs/protocol.md, refused messages,
// replies in pieces, the file, and certificates. A second of the protocol lasts 20 ms here.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { Authority } from '../../support/authority.ts';
import { temporaryDirectory } from '../../support/directory.ts';
import { waitFor } from '../../support/wait.ts';
import { CLIENTS, commandOf, type DeviceClient, isSkipped, missingFor } from './clients.ts';
import { type DeviceEnv, DeviceProcess } from './device-process.ts';
import { ScriptedGateway, type Visit } from './scripted-gateway.ts';

const SECOND_MS = 20;
/** In all other scenarios it lasts longer: on a busy machine a device must not take the test for a silent gateway. */
const CALM_MS = 200;
/** Time enough for a handshake. */
const TLS_SECOND_MS = 40;
const TLS_PACE = { SECOND_MS: `${TLS_SECOND_MS}` } as const;
const QUICK = { SECOND_MS: `${SECOND_MS}` } as const;
/** Timers may fire a little early by another clock. */
const TOLERANCE_MS = 5;

interface Stage {
  readonly gateway: ScriptedGateway;
  readonly device: DeviceProcess;
}

type Scenario = (stage: Stage) => Promise<void>;

interface StageOptions {
  readonly env?: DeviceEnv;
  /** The file before the start. */
  readonly state?: string;
}

/** The time from the end of a visit to the next attempt is at least so long. */
function assertWaited(before: Visit, next: Visit, leastMs: number): void {
  const waitedMs = next.cameAtMs - (before.endedAtMs ?? Number.NaN);
  assert.ok(waitedMs >= leastMs - TOLERANCE_MS, `it waited ${waitedMs.toFixed()} ms, and not ${leastMs} ms`);
}

/** Ends the visit with this code and returns the next one. */
async function refuse({ gateway }: Stage, visit: Visit, code: string, fields: object = {}): Promise<Visit> {
  visit.error(code, fields);
  await visit.end();
  return await gateway.visit();
}

const SCENARIOS: Readonly<Record<string, readonly [StageOptions, Scenario]>> = {
  'a new file begins a new count, and after that it resumes': [
    { env: { COUNT: '60', INTERVAL_MS: '30', SLUICE_TOKEN: 'secret' } },
    async ({ gateway, device }) => {
      const first = await gateway.visit();
      const { type, ...fields } = await first.identified();
      assert.equal(type, 'identify');
      assert.deepEqual(fields, { zipcode: '10115', city: 'Berlin', device_id: 'd-1', token: 'secret' });
      await first.message(2);
      first.reset();
      const second = await gateway.visit();
      // Message 1 is stored, and nobody said so.
      const { resume } = await second.identified({ stored_seq: 1 });
      assert.equal(resume, true);
      assert.equal((await second.line('metrics')).seq, 2);
      second.reset();
      const third = await gateway.visit();
      // As if the file came from a backup: what is not above this number would be taken for copies.
      await third.identified({ stored_seq: 50 });
      assert.equal((await third.line('metrics')).seq, 51);
      third.stored(51);
      await third.end();
      const fourth = await gateway.visit();
      await fourth.identified({ stored_seq: null });
      await fourth.message(60);
      fourth.stored(60);
      assert.equal(await device.ended(), 0);
      assert.deepEqual(
        fourth.lines.filter(({ type }) => type === 'metrics').map(({ seq }) => seq),
        [52, 53, 54, 55, 56, 57, 58, 59, 60],
      );
    },
  ],
  'it waits as it is told': [
    { env: QUICK },
    async (stage) => {
      const closing = await stage.gateway.visit();
      await closing.identified();
      closing.say({ type: 'ack', status: 'closing', code: 'shutdown', reconnect_after_ms: 500 });
      await closing.end();
      const kicked = await stage.gateway.visit();
      assertWaited(closing, kicked, 500);
      const replaced = await refuse(stage, kicked, 'kicked', { reconnect_after_ms: 400 });
      assertWaited(kicked, replaced, 400);
      const again = await refuse(stage, replaced, 'replaced', { reconnect_after_ms: 300 });
      assertWaited(replaced, again, 300);
      assertWaited(again, await refuse(stage, again, 'replaced', { reconnect_after_ms: 300 }), 600);
    },
  ],
  'it waits a minute if it is not let in': [
    { env: QUICK },
    async (stage) => {
      const first = await stage.gateway.visit();
      const second = await refuse(stage, first, 'unauthorized');
      assertWaited(first, second, 60 * SECOND_MS);
    },
  ],
  'it waits longer after each failure, and begins again after stored': [
    { env: QUICK },
    async (stage) => {
      let visit = await stage.gateway.visit();
      for (const [code, seconds] of [
        ['server_full', 5],
        ['overloaded', 10],
      ] as const) {
        const next = await refuse(stage, visit, code);
        assertWaited(visit, next, seconds * SECOND_MS);
        visit = next;
      }
      for (const seconds of [4, 8, 16, 32]) {
        visit.reset();
        const next = await stage.gateway.visit();
        assertWaited(visit, next, seconds * SECOND_MS);
        visit = next;
      }
      await visit.identified();
      visit.stored((await visit.line('metrics')).seq ?? -1);
      await waitFor('the mark in the file', () => stage.device.text.includes('stored 1'), 5_000).catch(
        () => {},
      );
      await sleep(100);
      // A FIN is noticed late by nc.
      visit.reset();
      const next = await stage.gateway.visit();
      const waitedMs = next.cameAtMs - (visit.endedAtMs ?? 0);
      // The next one without `stored` would be at least 60 s.
      assert.ok(waitedMs < 60 * SECOND_MS, `it waited ${waitedMs} ms`);
    },
  ],
  'it does not connect again if its address is wrong': [
    { env: { COUNT: '1' } },
    async ({ gateway, device }) => {
      const visit = await gateway.visit();
      await visit.line('identify');
      visit.error('tls_required');
      await visit.end();
      assert.equal(await device.ended(), 78);
      assert.equal(gateway.visits.length, 1);
    },
  ],
  'it drops what is refused for good, and says so': [
    { env: { COUNT: '3' } },
    async ({ gateway, device }) => {
      const first = await gateway.visit();
      await first.identified();
      await first.message(2);
      first.error('rate_limited');
      first.error('invalid_message', { seq: 2 });
      await first.end();
      const second = await gateway.visit();
      await second.identified({ stored_seq: null });
      await second.message(3);
      assert.deepEqual(
        second.lines.flatMap(({ seq }) => (seq === undefined ? [] : [seq])),
        [1, 3],
      );
      second.stored(3);
      assert.equal(await device.ended(), 0);
      assert.match(device.log, /2.*invalid_message|invalid_message.*2/);
    },
  ],
  'it sends again with a new seq if the queue was full': [
    { env: { COUNT: '4', INTERVAL_MS: '40' } },
    async ({ gateway, device }) => {
      const visit = await gateway.visit();
      await visit.identified();
      const { data } = await visit.message(1);
      const toldAtMs = performance.now();
      visit.error('queue_full', { seq: 1 });
      const again = await waitFor('the reading comes again', () =>
        visit.lines.find(({ seq = 0, data }) => seq > 1 && data?.n === 1),
      );
      assert.deepEqual(again.data, data);
      const at = visit.lineAtMs[visit.lines.indexOf(again)] ?? 0;
      assert.ok(at - toldAtMs >= SECOND_MS - TOLERANCE_MS, `${at - toldAtMs} ms`);
      await waitFor('the last one', () => visit.lines.some(({ seq = 0 }) => seq >= 4));
      const seqs = visit.lines.flatMap(({ seq }) => (seq === undefined ? [] : [seq]));
      assert.deepEqual(
        seqs,
        [...seqs].sort((a, b) => a - b),
      );
      visit.stored(seqs.at(-1) ?? -1);
      assert.equal(await device.ended(), 0);
    },
  ],
  'it reads replies in pieces, several at once, and with what it does not know': [
    { env: { COUNT: '12', INTERVAL_MS: '20' } },
    async ({ gateway, device }) => {
      const first = await gateway.visit();
      await first.line('identify');
      for (const piece of '{"type":"ack","later":{"status":"stored","seq":9},"status":"identified"}\n'.split(
        /(?<=[":,])/,
      )) {
        first.raw(piece);
        await sleep(1);
      }
      await first.message(12);
      first.raw(
        '?\n7\n{"seq":12,"status"\n[{"seq":12}]\n{"type":"ack","status":"from_the_future","seq":12}\n{"type":"ack","status":"stored","seq":1}\n{"type":"ack","status":"warning","code":"unknown_field","message":"stored","seq":12}\n{"type":"ack","status":"stored","seq":2}\n{"type":"ack","status":"stored","seq":1',
      );
      await sleep(100);
      // The number was 12, but only its first digit came.
      await first.end();
      const second = await gateway.visit();
      await second.identified({ stored_seq: null });
      await second.message(12);
      assert.deepEqual(
        second.lines.flatMap(({ seq }) => (seq === undefined ? [] : [seq])),
        [3, 4, 5, 6, 7, 8, 9, 10, 11, 12],
      );
      second.raw('{"seq":12,"status":"stored","type":"ack"}\n');
      assert.equal(await device.ended(), 0);
    },
  ],
  'it says that it is alive, and leaves a gateway that is silent': [
    { env: { ...QUICK, INTERVAL_MS: '600000' } },
    async ({ gateway }) => {
      const first = await gateway.visit();
      await first.identified();
      await first.message(1);
      await first.line('keepalive');
      const idleMs = (first.lineAtMs.at(-1) ?? 0) - first.cameAtMs;
      assert.ok(idleMs >= 59 * SECOND_MS, `after ${idleMs} ms`);
      const second = await gateway.visit();
      const silentMs = second.cameAtMs - first.cameAtMs;
      assert.ok(silentMs >= 180 * SECOND_MS - TOLERANCE_MS, `after ${silentMs} ms`);
    },
  ],
};

const messageOf = (seq: number) => `{"type":"metrics","seq":${seq},"data":{"n":${seq},"temperature":1.5}}\n`;

/** For the clients whose file has lines. */
const FILES: Readonly<Record<string, readonly [StageOptions, Scenario]>> = {
  'it goes on from a file whose last line was cut off': [
    {
      env: { COUNT: '9' },
      state:
        'stored 4\n{"type":"metrics","seq":6,"data":{"n":6,"temperature":1.5}}\nstored 5\n{"type":"metrics","seq":7,"data":{"n":7,"temp',
    },
    async ({ gateway, device }) => {
      const visit = await gateway.visit();
      const { resume } = await visit.identified({ stored_seq: null });
      assert.equal(resume, true);
      await visit.message(9);
      assert.deepEqual(
        visit.lines.flatMap(({ seq }) => (seq === undefined ? [] : [seq])),
        [6, 7, 8, 9],
      );
      assert.deepEqual(visit.lines[1]?.data, { n: 6, temperature: 1.5 });
      visit.stored(9);
      assert.equal(await device.ended(), 0);
    },
  ],
  'it takes no reading while there is no room, and never has more than 100 unconfirmed': [
    { env: { COUNT: '150', INTERVAL_MS: '2', MAX_KEPT: '120' } },
    async ({ gateway, device }) => {
      const visit = await gateway.visit();
      await visit.identified();
      await visit.message(100);
      await waitFor('it says so', () => device.log.includes('120'));
      assert.equal(visit.lines.at(-1)?.seq, 100);
      await waitFor('120 are in its file', () => device.taken.size === 120);
      await sleep(100);
      assert.equal(device.taken.size, 120);
      visit.stored(30);
      await visit.message(130);
      await sleep(100);
      assert.equal(visit.lines.at(-1)?.seq, 130);
      visit.stored(130);
      await visit.message(150);
      visit.stored(150);
      assert.equal(await device.ended(), 0);
      assert.deepEqual(device.faults, []);
    },
  ],
  'its file does not grow for ever': [
    {
      env: { COUNT: '1040' },
      state: `stored 0\n${Array.from({ length: 1000 }, (_, n) => messageOf(n + 1)).join('')}`,
    },
    async ({ gateway, device }) => {
      const visit = await gateway.visit();
      await visit.identified({ stored_seq: null });
      let last = 0;
      const done = device.ended();
      while (device.isRunning) {
        const { seq = 0 } = visit.lines.at(-1) ?? {};
        if (seq > last) visit.stored(seq);
        last = Math.max(last, seq);
        await sleep(2);
      }
      assert.equal(await done, 0);
      // The marks are lines, too: the last rewriting may have been before the last message of the old file was stored.
      assert.equal(device.text.match(/"seq":500,/), null, 'a line that nobody needs is still there');
    },
  ],
};

/** Made before any device runs: openssl holds up this process, and so its replies. */
const certificates = temporaryFiles();
const right = new Authority(certificates, 'right');
const wrong = new Authority(certificates, 'wrong');
const rightIdentity = right.sign('x');
const wrongIdentity = wrong.sign('x');

function temporaryFiles(): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-device-'));
  after(() => rmSync(directory, { recursive: true }));
  return directory;
}

const TLS: Readonly<Record<string, (client: DeviceClient, t: TestContext) => Promise<void>>> = {
  'it sends nothing to a gateway whose certificate is of another authority': async (client, t) => {
    const directory = temporaryDirectory(t);
    const gateway = await ScriptedGateway.listen(t, {
      identity: wrongIdentity,
    });
    const { ca } = right;
    deviceFor(t, client, {
      directory,
      env: { ...TLS_PACE, SLUICE_CA: ca, SLUICE_PORT: `${gateway.port}` },
    }).start();
    await assertStaysOutside(gateway);
  },
  'it sends nothing to a gateway whose certificate has another name': async (client, t) => {
    const directory = temporaryDirectory(t);
    // The certificate is for 127.0.0.1.
    const gateway = await ScriptedGateway.listen(t, { identity: rightIdentity, host: '127.0.0.2' });
    const env = {
      ...TLS_PACE,
      SLUICE_CA: right.ca,
      SLUICE_HOST: '127.0.0.2',
      SLUICE_PORT: `${gateway.port}`,
    };
    deviceFor(t, client, { directory, env }).start();
    await assertStaysOutside(gateway);
  },
  'it sends nothing without TLS to a gateway that has none': async (client, t) => {
    const directory = temporaryDirectory(t);
    const gateway = await ScriptedGateway.listen(t);
    const env = { ...TLS_PACE, SLUICE_CA: right.ca, SLUICE_PORT: `${gateway.port}` };
    deviceFor(t, client, { directory, env }).start();
    const visit = await gateway.visit();
    await waitFor('the device begins', () => visit.text !== '');
    visit.reset();
    assert.doesNotMatch((await gateway.visit()).text + visit.text, /identify|metrics/);
  },
};

async function assertStaysOutside(gateway: ScriptedGateway): Promise<void> {
  await waitFor('two attempts', () => gateway.attempts.length >= 2);
  const [first = 0, second = 0] = gateway.attempts;
  assert.ok(second - first >= 60 * TLS_SECOND_MS - TOLERANCE_MS, `again after ${second - first} ms`);
  assert.deepEqual(
    gateway.visits.flatMap(({ lines }) => lines),
    [],
  );
}

const compiled = temporaryFiles();
const commands = new Map<string, readonly string[]>();

/** The client, not started. */
function deviceFor(
  t: TestContext,
  { name }: DeviceClient,
  { directory, env }: { directory: string; env: DeviceEnv },
): DeviceProcess {
  return new DeviceProcess(t, commands.get(name) ?? [], join(directory, 'state'), {
    SLUICE_HOST: '127.0.0.1',
    DEVICE_ID: 'd-1',
    ZIPCODE: '10115',
    CITY: 'Berlin',
    INTERVAL_MS: '10',
    SECOND_MS: `${CALM_MS}`,
    ...env,
  });
}

async function play(
  client: DeviceClient,
  t: TestContext,
  [options, scenario]: readonly [StageOptions, Scenario],
) {
  const directory = temporaryDirectory(t);
  const gateway = await ScriptedGateway.listen(t);
  const env = { SLUICE_PORT: `${gateway.port}`, ...options.env };
  const device = deviceFor(t, client, { directory, env });
  if (options.state !== undefined) writeFileSync(device.stateFile, options.state);
  device.start();
  await scenario({ gateway, device }).catch((error: Error) => {
    throw new Error(`${error.message}\nthe device said: ${device.log.slice(-2000)}`, { cause: error });
  });
}

/** Clients that are tested beside each other. Their scenarios wait for most of their time. */
const CLIENTS_AT_ONCE = 2;

describe('device clients', { concurrency: CLIENTS_AT_ONCE }, () => {
  // Before any device runs: a compiler holds up this process, and so the replies to other devices.
  before(() => {
    for (const client of CLIENTS)
      if (missingFor(client) === undefined) commands.set(client.name, commandOf(client, compiled));
  });
  for (const client of CLIENTS)
    describe(`the ${client.name} client`, { concurrency: 6 }, () => {
      const register = (name: string, body: (t: TestContext) => Promise<void>) =>
        test(name, async (t) => {
          if (!isSkipped(t, client)) await body(t);
        });
      const scenarios = { ...SCENARIOS, ...(client.keepsLines ? FILES : {}) };
      for (const [name, script] of Object.entries(scenarios)) register(name, (t) => play(client, t, script));
      for (const [name, body] of Object.entries(client.speaksTls ? TLS : {}))
        register(name, (t) => body(client, t));
    });
});
