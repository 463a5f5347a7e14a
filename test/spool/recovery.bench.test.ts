// Measures how fast a start reads a large spool, and in how much memory.
import assert from 'node:assert/strict';
import { it } from 'node:test';
import { makeBatch, openLog, startChild, temporaryDirectory } from './support.ts';

for (const [what, recordBytes] of [
  ['64 KiB', 65_000],
  ['1 KiB', 900],
] as const) {
  it(`reads 300 MB of ${what} batches fast and in bounded memory`, { timeout: 120_000 }, async (t) => {
    const directory = temporaryDirectory(t);
    const { log } = await openLog(directory, { segmentBytes: 64 * 2 ** 20 });
    const one = await makeBatch('x', 1, recordBytes);
    const group = Array.from({ length: Math.floor(2 ** 20 / one.length) }, () => Buffer.from(one));
    while (log.bytes < 300e6) await log.append(group);
    const { bytes } = log;
    await log.close();
    const child = startChild(t, ['recover', directory]);
    const answer = (await child.line('recovered')).slice('recovered '.length);
    const { ms, rssKiB, records } = JSON.parse(answer) as { ms: number; rssKiB: number; records: number };
    const rate = bytes / 1e6 / (ms / 1000);
    console.error(
      `RECOVERY SPEED, ${what} batches: ${rate.toFixed(0)} MB/s (${(bytes / 1e6).toFixed(0)} MB in ${ms.toFixed(0)} ms), RSS grew by ${(rssKiB / 1024).toFixed(0)} MiB`,
    );
    assert.equal(records, log.nextOffset);
    assert.ok(rssKiB < 64 * 1024, `RSS grew by ${rssKiB} KiB`);
    assert.ok(rate >= 200, `${rate.toFixed(0)} MB/s`);
  });
}
