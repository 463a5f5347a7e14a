// The number of CPUs and the memory, from made trees of control groups, and from a real group if this machine lets us make one.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, it, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { memoryLimit } from '../../src/check/memory.ts';
import { availableCpus } from '../../src/config/available-cpus.ts';
import { temporaryDirectory } from '../support/directory.ts';

const MIB = 2 ** 20;
const V2 = '35 24 0:30 / /sys/fs/cgroup rw,nosuid shared:9 - cgroup2 cgroup2 rw,nsdelegate';
const V1 = '32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct';
const V1_MEMORY = '35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory';

interface Tree {
  /** /proc/self/cgroup and /proc/self/mountinfo. */
  readonly groups: string;
  readonly mounts: string;
  /** Below /sys/fs/cgroup. */
  readonly files: Readonly<Record<string, string>>;
}

function made(t: TestContext, { groups, mounts, files }: Tree): string {
  const root = temporaryDirectory(t);
  const all = Object.entries({
    'proc/self/cgroup': groups,
    'proc/self/mountinfo': mounts,
    ...Object.fromEntries(Object.entries(files).map(([name, text]) => [`sys/fs/cgroup/${name}`, text])),
  });
  for (const [name, text] of all) {
    mkdirSync(dirname(join(root, name)), { recursive: true });
    writeFileSync(join(root, name), `${text}\n`);
  }
  return root;
}

interface Case extends Tree {
  readonly affinity?: number;
  readonly count: number;
  readonly quota?: number;
}

const inV2 = (files: Tree['files'], group = '/'): Tree => ({ groups: `0::${group}`, mounts: V2, files });
const inV1 = (files: Tree['files'], group = '/'): Tree => ({
  groups: `4:memory:/elsewhere\n1:cpu,cpuacct:${group}\n0::/`,
  mounts: V1,
  files,
});

const CASES: Readonly<Record<string, Case>> = {
  'a system without control groups': { groups: '', mounts: '', files: {}, count: 8 },
  'no quota': { ...inV2({ 'cpu.max': 'max 100000' }), count: 8 },
  'half a CPU is one process': { ...inV2({ 'cpu.max': '50000 100000' }), count: 1, quota: 0.5 },
  'one and a half are rounded down': { ...inV2({ 'cpu.max': '150000 100000' }), count: 1, quota: 1.5 },
  'a period of its own': { ...inV2({ 'cpu.max': '60000 20000' }), count: 3, quota: 3 },
  'a quota above the affinity': { ...inV2({ 'cpu.max': '1000000 100000' }), count: 8 },
  'a quota of as many as the affinity': { ...inV2({ 'cpu.max': '850000 100000' }), count: 8, quota: 8.5 },
  'the affinity of Node 22, which has the quota already': {
    ...inV2({ 'cpu.max': '250000 100000' }),
    affinity: 2,
    count: 2,
    quota: 2.5,
  },
  'the smallest of all groups above': {
    ...inV2(
      { 'a/cpu.max': '300000 100000', 'a/b/cpu.max': '200000 100000', 'a/b/c/cpu.max': 'max 100000' },
      '/a/b/c',
    ),
    count: 2,
    quota: 2,
  },
  'a group beside its own does not count': {
    ...inV2({ 'other/cpu.max': '100000 100000', 'own/cpu.max': 'max 100000' }, '/own'),
    count: 8,
  },
  'a container that sees only its own group, by the path of its machine': {
    groups: '0::/docker/4f2a',
    mounts: V2.replace(' / ', ' /docker/4f2a '),
    files: { 'cpu.max': '200000 100000' },
    count: 2,
    quota: 2,
  },
  'a group outside of the namespace': {
    groups: '0::/../other',
    mounts: V2,
    files: { 'cpu.max': '200000 100000', '../other/cpu.max': '100000 100000' },
    count: 2,
    quota: 2,
  },
  'a mount point with a space': {
    groups: '0::/',
    mounts: V2.replace('/sys/fs/cgroup', '/sys/fs/cgroup/a\\040b'),
    files: { 'a b/cpu.max': '200000 100000' },
    count: 2,
    quota: 2,
  },
  'version 1 without a quota': {
    ...inV1({ 'cpu,cpuacct/cpu.cfs_quota_us': '-1', 'cpu,cpuacct/cpu.cfs_period_us': '100000' }),
    count: 8,
  },
  'version 1, of a group above': {
    ...inV1(
      {
        'cpu,cpuacct/a/cpu.cfs_quota_us': '250000',
        'cpu,cpuacct/a/cpu.cfs_period_us': '100000',
        'cpu,cpuacct/a/b/cpu.cfs_quota_us': '-1',
        'cpu,cpuacct/a/b/cpu.cfs_period_us': '100000',
      },
      '/a/b',
    ),
    count: 2,
    quota: 2.5,
  },
  'version 1 in a container, whose own path is not there': {
    ...inV1(
      { 'cpu,cpuacct/cpu.cfs_quota_us': '400000', 'cpu,cpuacct/cpu.cfs_period_us': '100000' },
      '/docker/4f2a',
    ),
    count: 4,
    quota: 4,
  },
  'both versions: the one with the controller counts': {
    groups: '1:cpu,cpuacct:/a\n0::/a',
    mounts: `${V1}\n${V2.replace('/sys/fs/cgroup', '/sys/fs/cgroup/unified')}`,
    files: {
      'cpu,cpuacct/a/cpu.cfs_quota_us': '300000',
      'cpu,cpuacct/a/cpu.cfs_period_us': '100000',
      'unified/a/cpu.stat': 'usage_usec 1',
    },
    count: 3,
    quota: 3,
  },
  'a content that nobody knows': { ...inV2({ 'cpu.max': 'some words' }), count: 8 },
};

describe('the CPUs that a process may use', () => {
  for (const [name, { affinity = 8, count, quota, ...tree }] of Object.entries(CASES)) {
    it(name, (t) => {
      assert.deepEqual(availableCpus({ root: made(t, tree), affinity }), { count, quota });
    });
  }
});

test('the memory is the smallest limit of the group and those above, or what the machine has', (t) => {
  const limit = (tree: Tree) => memoryLimit({ root: made(t, tree), machine: 1024 * MIB }).bytes / MIB;
  assert.equal(limit(inV2({ 'memory.max': 'max', 'memory.high': 'max' })), 1024);
  assert.equal(limit(inV2({ 'memory.max': `${512 * MIB}`, 'memory.high': `${400 * MIB}` })), 400);
  assert.equal(limit(inV2({ 'a/memory.max': `${300 * MIB}`, 'a/b/memory.max': 'max' }, '/a/b')), 300);
  assert.equal(limit(inV2({ 'memory.max': `${2048 * MIB}` })), 1024);
  const version1 = { groups: '4:memory:/a', mounts: V1_MEMORY };
  const none = '9223372036854771712';
  assert.equal(limit({ ...version1, files: { 'memory/memory.limit_in_bytes': none } }), 1024);
  assert.equal(
    limit({
      ...version1,
      files: {
        'memory/memory.limit_in_bytes': none,
        'memory/a/memory.limit_in_bytes': `${256 * MIB}`,
      },
    }),
    256,
  );
});

/** A group with a quota of half a CPU, and the file that moves a process into it. Undefined if none can be made here. */
function realGroup(t: TestContext): string | undefined {
  const name = `sluice-test-${process.pid}`;
  const places = [
    { directory: `/sys/fs/cgroup/${name}`, file: 'cpu.max', quota: '50000 100000' },
    { directory: `/sys/fs/cgroup/cpu/${name}`, file: 'cpu.cfs_quota_us', quota: '50000' },
  ];
  for (const { directory, file, quota } of places) {
    try {
      mkdirSync(directory);
    } catch {
      continue;
    }
    t.after(() => rmdirSync(directory));
    if (!existsSync(join(directory, file))) continue;
    try {
      writeFileSync(join(directory, file), quota);
    } catch {
      continue;
    }
    return join(directory, 'cgroup.procs');
  }
  return undefined;
}

test('in a real group with half a CPU the gateway would run one server process', (t) => {
  const procs = realGroup(t);
  if (procs === undefined) {
    const why =
      'no control group with a CPU quota can be made here (that needs root, and /sys/fs/cgroup with write access)';
    console.error(`SKIPPED: ${t.name}: ${why}`);
    t.skip(why);
    return;
  }
  const file = fileURLToPath(new URL('../../src/config/available-cpus.js', import.meta.url));
  const code = `import { availableCpus } from '${file}'; console.log(JSON.stringify(availableCpus({ affinity: 8 })));`;
  const { stdout, stderr } = spawnSync(
    'sh',
    ['-c', 'echo $$ > "$0" && exec "$@"', procs, process.execPath, '--input-type=module', '-e', code],
    { encoding: 'utf8' },
  );
  assert.equal(stdout, '{"count":1,"quota":0.5}\n', stderr);
  assert.equal(readFileSync(procs, 'utf8'), '');
});
