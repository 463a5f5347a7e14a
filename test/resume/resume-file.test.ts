import assert from 'node:assert/strict';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { it, type TestContext } from 'node:test';
import { resumeFile, takeResumeFile, writeResumeFile } from '../../src/resume/resume-file.ts';
import { lockSpool } from '../../src/spool/lock.ts';
import { Device } from '../support/device.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type Gateway, gatewayFor } from '../support/gateway.ts';
import { waitFor } from '../support/wait.ts';

const ENTRIES = [
  ['roof-7', 0],
  ['x'.repeat(64), Number.MAX_SAFE_INTEGER],
] as const;

it('what is written is read once, by the owner only', async (t) => {
  const directory = temporaryDirectory(t);
  assert.deepEqual(await takeResumeFile(directory, 10), { state: 'none' });
  assert.equal(await writeResumeFile(directory, ENTRIES), true);
  assert.equal(statSync(resumeFile(directory)).mode & 0o777, 0o600);
  assert.deepEqual(await takeResumeFile(directory, 10), { state: 'read', entries: ENTRIES });
  assert.deepEqual(await takeResumeFile(directory, 10), { state: 'none' });
});

it('with lower limits than before the newest entries are kept', async (t) => {
  const directory = temporaryDirectory(t);
  await writeResumeFile(directory, ENTRIES);
  assert.deepEqual(await takeResumeFile(directory, 1), { state: 'read', entries: [ENTRIES[1]] });
});

it('without an entry no file is written, and none while another gateway has the directory', async (t) => {
  const directory = temporaryDirectory(t);
  assert.equal(await writeResumeFile(directory, []), true);
  const lock = lockSpool(directory);
  assert.equal(await writeResumeFile(directory, ENTRIES), false);
  lock.release();
  assert.equal(existsSync(resumeFile(directory)), false);
});

it('a file that is damaged, foreign or too large is not believed, and is gone afterwards', async (t) => {
  const directory = temporaryDirectory(t);
  await writeResumeFile(directory, ENTRIES);
  const good = readFileSync(resumeFile(directory), 'latin1');
  const bad = [
    '',
    'notes of an operator\n',
    good.slice(0, -1),
    good.replace('roof-7', 'roof-8'),
    good.replace('sluice-resume 2', 'sluice-resume 3'),
    good.replace(/ 2 /, ' 3 '),
    good.repeat(2),
    `${good}${'x'.repeat(10_000)}`,
  ];
  for (const content of bad) {
    writeFileSync(resumeFile(directory), content);
    assert.equal((await takeResumeFile(directory, 10)).state, 'unusable', content.slice(0, 80));
    assert.equal(existsSync(resumeFile(directory)), false);
  }
  writeFileSync(join(directory, 'elsewhere'), good);
  symlinkSync(join(directory, 'elsewhere'), resumeFile(directory));
  assert.equal((await takeResumeFile(directory, 10)).state, 'unusable');
  assert.equal(existsSync(join(directory, 'elsewhere')), true);
  mkdirSync(resumeFile(directory));
  assert.equal((await takeResumeFile(directory, 10)).state, 'unusable');
});

it('a file of a version that left no note counts', async (t) => {
  const directory = temporaryDirectory(t);
  await writeResumeFile(directory, ENTRIES);
  const content = readFileSync(resumeFile(directory), 'latin1').replace('sluice-resume 2', 'sluice-resume 1');
  writeFileSync(resumeFile(directory), content);
  writeFileSync(join(directory, 'lock'), '4711 4711 box\n');
  assert.equal((await takeResumeFile(directory, 10)).state, 'read');
});

it('commands that lock the directory in between change nothing', async (t) => {
  const directory = temporaryDirectory(t);
  await writeResumeFile(directory, ENTRIES);
  for (let n = 0; n < 2; n++) lockSpool(directory).release();
  const lock = lockSpool(directory);
  assert.equal((await takeResumeFile(directory, 10)).state, 'read');
  lock.release();
});

it('after a start of version 0.1.0, which knows no such file, it is not believed', async (t) => {
  const directory = temporaryDirectory(t);
  await writeResumeFile(directory, ENTRIES);
  // As that version writes it.
  writeFileSync(join(directory, 'lock'), '4711\n');
  const lock = lockSpool(directory);
  assert.deepEqual(await takeResumeFile(directory, 10), {
    state: 'unusable',
    reason: 'another version of the gateway has used the spool since',
  });
  assert.equal(existsSync(resumeFile(directory)), false);
  lock.release();
});

/** The answer to a device that resumes, and the device. */
async function resume({ port }: Gateway, id = 'roof-7'): Promise<{ device: Device; storedSeq: unknown }> {
  const device = await Device.connect(port);
  device.sendMessages({ type: 'identify', zipcode: '90210', city: 'x', device_id: id, resume: true });
  const reply: { stored_seq?: unknown } = JSON.parse(await device.readLine()) as object;
  return { device, storedSeq: reply.stored_seq };
}

async function store(device: Device, ...seqs: number[]): Promise<void> {
  device.sendMessages(...seqs.map((seq) => ({ type: 'metrics', seq, data: { t: seq } })));
  for (let stored = -1; stored < (seqs.at(-1) ?? -1); ) stored = (await device.read()).seq ?? -1;
}

// Without Kafka the records are on the disk.
it('an orderly stop and the next start keep what devices have stored, and the file is gone while the gateway runs', async (t: TestContext) => {
  const directory = temporaryDirectory(t);
  const first = await gatewayFor(t, { SPOOL_DIR: directory });
  const { device, storedSeq } = await resume(first);
  assert.equal(storedSeq, null);
  await store(device, 40, 41);
  // A device that is connected at the stop, and one that has gone.
  const gone = await resume(first, 'gone');
  await store(gone.device, 7);
  gone.device.destroy();
  await waitFor('its end', () => first.snapshot().connections.active === 1);
  assert.equal(readdirSync(directory).includes('resume'), false);
  await first.stop();
  assert.equal(readdirSync(directory).includes('resume'), true);

  const second = await gatewayFor(t, { SPOOL_DIR: directory });
  assert.equal(readdirSync(directory).includes('resume'), false);
  const again = await resume(second);
  assert.equal(again.storedSeq, 41);
  assert.equal((await resume(second, 'gone')).storedSeq, 7);
  assert.equal((await resume(second, 'new')).storedSeq, null);
  // Messages that are stored already are answered and not written again.
  again.device.sendMessages(
    { type: 'metrics', seq: 40, data: { t: 40 } },
    { type: 'metrics', data: { t: 0 } },
    { type: 'metrics', seq: 41, data: [{ t: 41 }, { t: 41 }] },
    { type: 'metrics', seq: 42, data: { t: 42 } },
    { type: 'metrics', seq: 42, data: { t: 42 } },
  );
  const replies: string[] = [];
  for (let n = 0; n < 4; n++) {
    const { status, code, seq } = await again.device.read();
    replies.push(`${code ?? status} ${seq}`);
  }
  assert.deepEqual(replies.sort(), ['invalid_message 42', 'stored 40', 'stored 41', 'stored 42']);
  const { lines, records, resume: resumed } = second.snapshot();
  assert.deepEqual([lines.accepted, lines.alreadyStored, records.accepted], [7, 2, 2]);
  assert.deepEqual(resumed.answers, { known: 2, unknown: 1, unsettled: 0 });
  await second.stop();

  writeFileSync(resumeFile(directory), 'something else');
  const third = await gatewayFor(t, { SPOOL_DIR: directory });
  assert.ok(third.log.some(({ event }) => event === 'resume_unusable'));
  assert.equal((await resume(third)).storedSeq, null);
});
