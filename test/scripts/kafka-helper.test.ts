// Tests the local Kafka and the scripts that all other tests depend on.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { kafkaClient } from '../../scripts/kafka/client.ts';
import { isFree } from '../../scripts/kafka/ports.ts';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import {
  clusterTest,
  consoleConsumer,
  createTopic,
  dumpLog,
  kafkaTest,
  readTopic,
  segmentFiles,
  startCluster,
  uniqueTopic,
} from '../support/kafka.ts';

// Plain JavaScript, which tsc does not copy to dist.
const lib = (name: string): string => new URL(`../../../scripts/lib/${name}`, import.meta.url).href;
const { isBuilt, isInstalled, buildStamp } = (await import(lib('prepare.mjs'))) as {
  isBuilt: (root: string) => boolean;
  isInstalled: (root: string) => boolean;
  buildStamp: (root: string) => string;
};
const { withLock } = (await import(lib('lock.mjs'))) as {
  withLock: <T>(lockDir: string, work: () => T | Promise<T>) => Promise<T>;
};

clusterTest(
  'a broker keeps its records through kill -9 and a restart, and stop() leaves nothing',
  async (t) => {
    // A killed broker is let back in once its session is over, after 9 s by default.
    const cluster = await startCluster({ properties: { 'broker.session.timeout.ms': '3000' } });
    t.after(() => cluster.stop());
    const [broker] = cluster.brokers;
    assert.ok(broker);
    const topic = uniqueTopic('helper');
    await createTopic(cluster.bootstrap, topic, { partitions: 1 });
    await produce(cluster.bootstrap, topic, [{ key: 'k', value: 'v', headers: { h: 'x' } }]);

    await broker.stop('SIGKILL');
    assert.equal(await broker.isRunning(), false);
    assert.equal(await isFree(portOf(broker.address)), true);
    await broker.start();

    const [record] = await readTopic(cluster.bootstrap, topic, 1);
    assert.equal(record?.value?.toString(), 'v');
    assert.deepEqual(record?.headers, { h: [Buffer.from('x')] });
    if (cluster.kind === 'java') {
      const batches = await dumpLog(cluster.bootstrap, await segmentFiles(broker.dataDir, topic, 0));
      assert.deepEqual(
        batches.map(({ count, isValid }) => ({ count, isValid })),
        [{ count: 1, isValid: true }],
      );
    }

    await cluster.stop();
    assert.equal(await broker.isRunning(), false);
    assert.equal(await isFree(portOf(broker.address)), true);
    if (cluster.kind === 'java') assert.equal(existsSync(broker.dataDir), false);
  },
);

kafkaTest('the console consumer returns the bytes of a record as they were sent', async ({ bootstrap }) => {
  const topic = uniqueTopic('helper');
  await createTopic(bootstrap, topic, { partitions: 2 });
  const value = Buffer.from([0, 10, 13, 124, 255, 195]);
  await produce(bootstrap, topic, [
    { key: 'k\n', value, headers: { a: '1', b: 'ü' }, partition: 1, timestamp: '1700000000000' },
    { key: null, value: null, partition: 1, timestamp: '1700000000001' },
  ]);
  const common = { partition: 1, timestampType: 'CreateTime' };
  assert.deepEqual(await consoleConsumer(bootstrap, topic, { maxMessages: 2 }), [
    {
      ...common,
      offset: 0,
      timestamp: 1_700_000_000_000,
      key: Buffer.from('k\n'),
      value,
      headers: [
        ['a', '1'],
        ['b', 'ü'],
      ],
    },
    { ...common, offset: 1, timestamp: 1_700_000_000_001, key: null, value: null, headers: [] },
  ]);
});

kafkaTest(
  'reading a topic that stays short of the expected count fails by its deadline',
  async ({ bootstrap }) => {
    const topic = uniqueTopic('helper');
    await createTopic(bootstrap, topic);
    await produce(bootstrap, topic, [{ value: 'only' }]);
    await assert.rejects(readTopic(bootstrap, topic, 2, 300), /holds 1 of 2 records/);
    assert.equal((await readTopic(bootstrap, topic, 0)).length, 1);
  },
);

test('a command for the death of a process runs when the process is killed with -9', async (t) => {
  const file = join(scratch(t), 'ran');
  const helper = new URL('../../scripts/kafka/process.js', import.meta.url).href;
  const script = `import { onParentDeath } from '${helper}'; onParentDeath(['touch', process.argv[1]]); setInterval(() => {}, 1000); console.log('up');`;
  const parent = spawn(process.execPath, ['--input-type=module', '-e', script, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await new Promise((resolve) => parent.stdout.once('data', resolve));
  parent.kill('SIGKILL');
  await waitFor('the file', () => existsSync(file));

  const unused = join(scratch(t), 'unused');
  onParentDeath(['touch', unused])();
  assert.equal(existsSync(unused), false);
});

test('a build is stale when a source changes, appears or is deleted', (t) => {
  const root = scratch(t);
  const put = (path: string, text: string): void => {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  };
  const stampNow = (): void => put('dist/.sluice-build', buildStamp(root));
  put('package-lock.json', '{}');
  put('tsconfig.json', '{}');
  put('scripts/lib/bundle.mjs', '');
  put('src/a.ts', 'a');
  assert.equal(isBuilt(root), false);
  stampNow();
  assert.equal(isBuilt(root), true);
  put('src/a.ts', 'b');
  assert.equal(isBuilt(root), false);
  stampNow();
  put('test/new.test.ts', '');
  assert.equal(isBuilt(root), false);
  stampNow();
  rmSync(join(root, 'test/new.test.ts'));
  assert.equal(isBuilt(root), false);
  stampNow();
  put('package-lock.json', '{"changed":true}');
  assert.equal(isBuilt(root), false);
});

test('an install counts if it has the locked packages, except optional ones of other platforms', (t) => {
  const root = scratch(t);
  const dep = { integrity: 'sha512-a' };
  const native = { integrity: 'sha512-n', optional: true, cpu: [process.arch] };
  const here = { ...native, os: [process.platform] };
  const elsewhere = { ...native, os: ['plan9'] };
  const locked = { dep, here, elsewhere };
  mkdirSync(join(root, 'node_modules'));
  writeFileSync(join(root, 'package-lock.json'), JSON.stringify({ packages: { '': {}, ...locked } }));
  assert.equal(isInstalled(root), false);
  for (const [packages, expected] of [
    [{ dep, here }, true],
    [locked, true],
    [{ dep, elsewhere }, false],
    [{ here }, false],
    [{ dep: { integrity: 'sha512-b' }, here }, false],
    [{ dep, here, extra: dep }, false],
  ] as const) {
    writeFileSync(join(root, 'node_modules/.package-lock.json'), JSON.stringify({ packages }));
    assert.equal(isInstalled(root), expected, JSON.stringify(packages));
  }
});

test('a lock is held by one at a time, and a dead owner does not hold it', async (t) => {
  const lockDir = join(scratch(t), 'lock');
  const { pid } = spawnSync(process.execPath, ['-e', '']);
  mkdirSync(lockDir);
  writeFileSync(join(lockDir, 'pid'), String(pid));
  const order: string[] = [];
  await withLock(lockDir, async () => {
    assert.equal(existsSync(lockDir), true);
    order.push('held');
  });
  assert.deepEqual(order, ['held']);
  assert.equal(existsSync(lockDir), false);

  const script = `import { withLock } from '${lib('lock.mjs')}'; await withLock(process.argv[1], async () => { console.log('in'); await new Promise((r) => setTimeout(r, 300)); console.log('out'); });`;
  const outputs = await Promise.all([timeline(script, lockDir), timeline(script, lockDir)]);
  const [first, second] = outputs.sort((a, b) => (a[0] ?? 0) - (b[0] ?? 0));
  assert.ok((first?.[1] ?? 0) <= (second?.[0] ?? 0), 'the second came in before the first was out');
});

import { waitFor } from '../support/wait.ts';

/** When each line of the script's output came. */
async function timeline(script: string, argument: string): Promise<number[]> {
  const child = spawn(process.execPath, ['--input-type=module', '-e', script, argument], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  const times: number[] = [];
  for await (const chunk of child.stdout)
    for (const _ of String(chunk).trim().split('\n')) times.push(performance.now());
  return times;
}

type Message = {
  readonly key?: string | null;
  readonly value: string | Buffer | null;
  readonly partition?: number;
  readonly timestamp?: string;
  readonly headers?: Record<string, string>;
};

async function produce(bootstrap: string, topic: string, messages: Message[]): Promise<void> {
  const producer = kafkaClient(bootstrap, 5).producer();
  await producer.connect();
  try {
    await producer.send({ topic, messages });
  } finally {
    await producer.disconnect();
  }
}

const portOf = (address: string): number => Number(address.split(':').at(-1));

function scratch(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-test-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}
