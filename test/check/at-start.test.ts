// The quick part of `sluice check` at each start: its findings are lines of the log, each once.
import assert from 'node:assert/strict';
import { utimesSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it } from 'node:test';
import { checkAtStart } from '../../src/check/at-start.ts';
import { Authority } from '../support/authority.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { gatewayFor, testSettings } from '../support/gateway.ts';
import { recordedLog } from '../support/log.ts';

/** A start may take so much longer because of the checks. Measured: 1 ms. */
const QUICK_MS = 100;

describe('a start', () => {
  it('says once what is wrong with memory, clock, tokens and the certificates for Kafka', async (t) => {
    const directory = temporaryDirectory(t);
    const SPOOL_DIR = temporaryDirectory(t);
    const format = join(SPOOL_DIR, 'format');
    writeFileSync(format, '2\n');
    const later = new Date(Date.now() + 3_600_000);
    utimesSync(format, later, later);
    const TCP_TOKENS_FILE = join(directory, 'tokens');
    writeFileSync(TCP_TOKENS_FILE, '# nobody yet\n', { mode: 0o600 });
    const authority = new Authority(directory, 'ca');
    const { cert, key } = authority.sign('gateway', { isExpired: true });
    const { log } = await gatewayFor(t, {
      SPOOL_DIR,
      TCP_TOKENS_FILE,
      TCP_BUFFER_BYTES: '64GiB',
      KAFKA_BUFFER_BYTES: '16GiB',
      KAFKA_SSL: 'true',
      KAFKA_SSL_CERT: cert,
      KAFKA_SSL_KEY: key,
    });
    for (const name of ['memory_short', 'clock_implausible', 'tokens_file_empty', 'certificate_expired'])
      assert.equal(log.filter(({ event }) => event === name).length, 1, name);
  });

  it('says nothing of the kind if all is well, and takes no time for it', (t) => {
    const path = join(temporaryDirectory(t), 'tokens');
    writeFileSync(path, `${`sha256:${'a'.repeat(64)}  *  one\n`}#\n`, { mode: 0o600 });
    const settings = testSettings({ TCP_TOKENS_FILE: path, SPOOL_DIR: temporaryDirectory(t) });
    const { log, lines } = recordedLog();
    const startMs = performance.now();
    checkAtStart(settings, { processes: 1, log });
    const tookMs = performance.now() - startMs;
    assert.deepEqual(lines, []);
    assert.ok(tookMs < QUICK_MS, `${tookMs} ms`);
  });
});
