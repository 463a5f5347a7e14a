// `sluice check` on a machine that is broken in each way: ports, open files, memory, clock, spool, tokens, certificates. No
// Kafka.
import assert from 'node:assert/strict';
import { chmodSync, chownSync, existsSync, mkdirSync, utimesSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { freePort } from '../../scripts/kafka/ports.ts';
import { judgeMemory } from '../../src/check/memory.ts';
import { linesOf } from '../../src/check/recorded-lines.ts';
import { mount } from '../spool/support.ts';
import { Authority } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { testSettings } from '../support/gateway.ts';
import { check } from './checking.ts';

const NOBODY = 65_534;
const IS_ROOT = process.getuid?.() === 0;
const GIB = 2 ** 30;

describe('the check of ports', () => {
  it('finds free ones free, and taken ones with their holder', async (t) => {
    const server = createServer().listen(0, '127.0.0.1');
    t.after(() => server.close());
    await new Promise((resolve) => server.once('listening', resolve));
    const { port } = server.address() as { port: number };
    const free = await freePort();
    const found = await check(t, { TCP_PORT: `${port}`, HTTP_PORT: `${free}` });
    const { remedy = '' } = found.expect(
      'error',
      'port_unusable',
      new RegExp(`TCP_PORT=${port}: the port is in use by pid ${process.pid} `),
    );
    assert.match(remedy, /Stop that program, or set TCP_PORT to a free port/);
    found.expect('ok', 'port_free', new RegExp(`^HTTP_PORT=${free} .*is free`));
    const admin = await check(t, { TCP_PORT: `${free}`, HTTP_PORT: `${port}` });
    admin.expect('error', 'port_unusable', new RegExp(`HTTP_PORT=${port}: the port is in use`));
    const elsewhere = await check(t, { TCP_HOST: '203.0.113.7' });
    elsewhere.expect('error', 'port_unusable', /this machine has no address 203\.0\.113\.7/);
  });
});

describe('the check of memory', () => {
  it('finds buffers that do not fit, with the numbers, and those that do', async (t) => {
    const found = await check(t, { TCP_BUFFER_BYTES: '64GiB', KAFKA_BUFFER_BYTES: '16GiB' });
    found.expect('warning', 'memory_short', /of memory may be needed .*this machine has|allows/);
    (await check(t)).expect('ok', 'memory_enough', /all buffers full/);
  });

  it('counts the limit of a container, from both sides', () => {
    const settings = testSettings({
      TCP_BUFFER_BYTES: '256MiB',
      KAFKA_BUFFER_BYTES: '64MiB',
      TCP_MAX_CONNECTIONS: '1000',
    });
    const at = (bytes: number) =>
      linesOf(settings, (log) =>
        judgeMemory(settings, { processes: 2, log, limit: { bytes, text: 'its container allows' } }),
      );
    assert.match(
      at(GIB / 2)[0]?.what ?? '',
      /^5\d\d\.\d MiB of memory may be needed \(.*1000 connections, 2 processes\), and its container allows 512\.0 MiB/,
    );
    assert.deepEqual(at(GIB), []);
  });
});

describe('the check of the spool', () => {
  it('finds a place that cannot be, and creates nothing', async (t) => {
    const parent = join(temporaryDirectory(t), 'mnt');
    const found = await check(t, { SPOOL_DIR: join(parent, 'spool') });
    found.expect('error', 'spool_unusable', /mnt is missing, so a disk may not be mounted/);
    const file = join(temporaryDirectory(t), 'file');
    writeFileSync(file, '');
    (await check(t, { SPOOL_DIR: file })).expect('error', 'spool_unusable', /is a file and no directory/);
    const fresh = join(temporaryDirectory(t), 'spool');
    (await check(t, { SPOOL_DIR: fresh })).expect(
      'ok',
      'spool_owner',
      /does not exist yet; the start creates it/,
    );
    assert.deepEqual([existsSync(parent), existsSync(fresh)], [false, false]);
  });

  it('finds a directory of another user', { skip: !IS_ROOT }, async (t) => {
    const directory = temporaryDirectory(t);
    chmodSync(directory, 0o755);
    const spool = join(directory, 'spool');
    mkdirSync(spool, { mode: 0o700 });
    const asNobody = async () => {
      process.seteuid?.(NOBODY);
      try {
        return await check(t, { SPOOL_DIR: spool });
      } finally {
        process.seteuid?.(0);
      }
    };
    const refused = await asNobody();
    refused.expect(
      'error',
      'spool_unusable',
      new RegExp(`no permission for .*spool is of user 0, mode 0700.*user ${NOBODY}`),
    );
    // Root may write everywhere, and would leave files that the gateway cannot write.
    chownSync(spool, NOBODY, NOBODY);
    (await check(t, { SPOOL_DIR: spool })).expect(
      'note',
      'spool_owner_differs',
      new RegExp(`belong to user ${NOBODY}`),
    );
    writeFileSync(join(spool, 'lock'), '');
    (await asNobody()).expect('error', 'spool_owner_differs', /lock of SPOOL_DIR belong to user 0/);
    chownSync(join(spool, 'lock'), NOBODY, NOBODY);
    (await asNobody()).expect('ok', 'spool_owner', /belongs to this user/);
  });

  it('finds a disk that is full, too small, read-only or memory, and one that is large enough', async (t) => {
    const disk = mount(t, ['-t', 'tmpfs', '-o', 'size=10m', 'none']);
    if (disk === undefined) return;
    const limits = { SPOOL_DIR: disk, SPOOL_DEAD_BYTES: '1MiB' };
    const small = await check(t, { ...limits, SPOOL_MAX_BYTES: '1GiB' });
    small.expect('warning', 'spool_disk_too_small', /SPOOL_MAX_BYTES=1GiB is more than the disk has/);
    small.expect('warning', 'spool_in_memory', /is in memory \(tmpfs\)/);
    const enough = await check(t, { ...limits, SPOOL_MAX_BYTES: '8MiB' });
    assert.ok(!enough.has('spool_disk_too_small'));
    enough.expect('ok', 'spool_placed', /limit 8\.0 MiB, 10\.0 MiB of 10\.0 MiB free/);
    writeFileSync(join(disk, 'ballast'), Buffer.alloc(10 * 2 ** 20 - 8192));
    const full = await check(t, { ...limits, SPOOL_DIR: join(disk, 'spool'), SPOOL_MAX_BYTES: '1MiB' });
    full.expect('warning', 'spool_disk_too_small', /The disk is full now/);
    const readOnly = mount(t, ['-t', 'tmpfs', '-o', 'ro', 'none']);
    if (readOnly === undefined) return;
    (await check(t, { SPOOL_DIR: readOnly })).expect('error', 'spool_unusable', /is mounted read-only/);
  });
});

describe('the check of the own clock', () => {
  it('finds one that is before the time of our own files', async (t) => {
    const SPOOL_DIR = temporaryDirectory(t);
    (await check(t, { SPOOL_DIR })).expect('ok', 'clock_plausible', /^The clock says 20/);
    const file = join(SPOOL_DIR, 'format');
    writeFileSync(file, '2\n');
    const later = new Date(Date.now() + 3_600_000);
    utimesSync(file, later, later);
    const found = await check(t, { SPOOL_DIR });
    found.expect('warning', 'clock_implausible', /but .*format was last written at/);
  });
});

describe('the check of access', () => {
  it('finds a file of tokens that is empty, broken or missing, and one that is right', async (t) => {
    const path = join(temporaryDirectory(t), 'tokens');
    const judged = async (content: string) => {
      writeFileSync(path, content, { mode: 0o600 });
      return check(t, { TCP_TOKENS_FILE: path });
    };
    (await judged('# none yet\n\n')).expect('warning', 'tokens_file_empty', /no device can identify/);
    const broken = await judged('sluice_secret-token-that-was-pasted\n');
    broken.expect('error', 'tokens_unusable', /line 1: /);
    assert.ok(!JSON.stringify(broken.all).includes('pasted'));
    const valid = await judged(`sha256:${'a'.repeat(64)}  *  one\n`);
    valid.expect('ok', 'tokens_valid', /has 1 tokens/);
  });

  it('finds an admin port that others reach without a token, and a token that can be guessed', async (t) => {
    const HTTP_PORT = '0';
    const open = await check(t, { HTTP_PORT, HTTP_HOST: '0.0.0.0' });
    open.expect('note', 'admin_listening_without_token', /open to other machines, and HTTP_TOKEN is not set/);
    (await check(t, { HTTP_PORT })).expect('note', 'admin_token_not_set', /on this machine only/);
    const weak = await check(t, { HTTP_PORT, HTTP_TOKEN: 'guess-me' });
    weak.expect('warning', 'setting_warned', /HTTP_TOKEN has fewer than 16 characters/);
    assert.ok(!JSON.stringify(weak.all).includes('guess-me'));
    const strong = await check(t, { HTTP_PORT, HTTP_TOKEN: 'b'.repeat(32), HTTP_HOST: '0.0.0.0' });
    strong.expect('ok', 'admin_token_set', /is set/);
    assert.deepEqual(
      strong.names('note').filter((name) => name.startsWith('admin')),
      [],
    );
    (await check(t)).expect('note', 'admin_port_off', /without health/);
  });

  it('finds certificates that have expired or soon will, for devices and for Kafka', async (t) => {
    const authority = new Authority(temporaryDirectory(t), 'ca');
    const tls = ({ cert, key }: { cert: string; key: string }) => ({
      TCP_TLS_PORT: '0',
      TCP_TLS_CERT: cert,
      TCP_TLS_KEY: key,
    });
    const expired = await check(t, tls(authority.sign('gateway', { isExpired: true })));
    expired.expect('error', 'certificate_expired', /TCP_TLS_CERT: a certificate has expired, so devices/);
    // A quarter of its lifetime is 50 days, so 30 days count.
    const soon = await check(t, tls(authority.sign('gateway', { days: 200 })));
    soon.expect('ok', 'certificate_valid', /TCP_TLS_CERT is valid for 199 days/);
    const { cert, key } = authority.sign('kafka', { isExpired: true });
    const kafka = { KAFKA_SSL: 'true', KAFKA_SSL_CERT: cert, KAFKA_SSL_KEY: key, KAFKA_SSL_CA: authority.ca };
    const found = await check(t, kafka);
    found.expect('error', 'certificate_expired', /KAFKA_SSL_CERT: a certificate has expired/);
    found.expect('ok', 'certificate_valid', /KAFKA_SSL_CA is valid for 1 days/);
  });
});
