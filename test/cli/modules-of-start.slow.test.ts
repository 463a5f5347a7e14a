// Which modules a gateway loads at its start: the first of several processes nothing that serves devices, and no process
// anything that is needed only later, or with other settings.
import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { spawnGateway } from '../../scripts/lib/gateway-child.ts';
import { childrenOf } from '../../scripts/lib/proc.ts';
import { waitFor } from '../support/wait.ts';

/** With the settings of this test, nobody needs them. */
const NEVER =
  /\/node_modules\/(?:commander|pino-pretty|prom-client|@opentelemetry|zod)\b|\/dist\/src\/(?:program|commands|app|admin\/otlp)\b/;
/** Of each process, packages and main.ts included. Without the bundle there are more than 250. */
const MAX_FILES = 80;
/** For devices and Kafka. */
const OF_SERVERS =
  /\/node_modules\/(?:kafkajs|snappy|lz4-napi)\b|\/dist\/src\/(?:kafka|workers|tap|presence\/presence)\b/;
/** For operators, and for reading settings. */
const OF_THE_FIRST =
  /\/node_modules\/(?:dotenv|fastest-levenshtein)\b|\/dist\/src\/(?:admin\/(?:admin-server|http-server|live)|health\/health\.|dashboard|config\/load|processes\/primary)\b/;

/** Writes what Node has loaded of itself, and the native packages in memory. */
const LIST_AT_EXIT = `
import { readFileSync, writeFileSync } from 'node:fs';
process.on('exit', () => {
  const mapped = readFileSync('/proc/self/maps', 'utf8').match(/\\/.*\\.node$/gm) ?? [];
  writeFileSync(new URL('loaded-' + process.pid, import.meta.url), [...process.moduleLoadList, ...mapped].join('\\n'));
});
`;

test('each process of a gateway loads only what it needs for its start', async (t) => {
  // The single modules: of them the bundle takes the same parts.
  const [ofFirst, ...ofServers] = await modulesOfStart(t, '--conditions=sluice-modules');
  assert.deepEqual(those(ofFirst, NEVER), []);
  assert.deepEqual(those(ofFirst, OF_SERVERS), []);
  assert.notDeepEqual(those(ofFirst, OF_THE_FIRST), [], 'the pattern finds nothing');
  assert.equal(ofServers.length, 2);
  for (const ofServer of ofServers) {
    assert.deepEqual(those(ofServer, NEVER), []);
    assert.deepEqual(those(ofServer, OF_THE_FIRST), []);
    assert.notDeepEqual(those(ofServer, OF_SERVERS), [], 'the pattern finds nothing');
  }
});

test('a gateway starts from a few bundled files', async (t) => {
  const processes = await modulesOfStart(t, '');
  assert.equal(processes.length, 3);
  for (const modules of processes) {
    assert.notDeepEqual(those(modules, /\/dist\/bundle\//), []);
    // Those that main.ts itself imports.
    assert.deepEqual(those(modules, /\/dist\/src\/(?!main\.|cli\/|processes\/server-process-flag\.)/), []);
    assert.deepEqual(those(modules, /\/node_modules\/(?:kafkajs|pino)\//), []);
    assert.ok(those(modules, /^file:/).length < MAX_FILES, modules.join('\n'));
  }
});

test('without TLS and readings, Node loads no module and no native package for them', async (t) => {
  const directory = temporaryDirectory(t);
  const list = join(directory, 'list.mjs');
  writeFileSync(list, LIST_AT_EXIT);
  const pids = await startAndStop(t, directory, { NODE_OPTIONS: `--import=${list}` });
  const lists = pids.map((pid) => readFileSync(join(directory, `loaded-${pid}`), 'utf8').split('\n'));
  assert.equal(lists.length, 3);
  for (const [index, loaded] of lists.entries()) {
    assert.deepEqual(those(loaded, /^NativeModule (?:tls|https|zlib)$/), []);
    assert.equal(those(loaded, /^NativeModule http$/).length, index === 0 ? 1 : 0);
    assert.deepEqual(those(loaded, /\/(?:crc32|snappy)[^/]*\.node$/), []);
    assert.notDeepEqual(those(loaded, /\/koffi\.node$/), [], 'no native package is found');
  }
});

test('the bundle reads no export of Node that is deprecated, and so only those in use', () => {
  const folder = new URL('../../bundle/', import.meta.url);
  const files = readdirSync(folder).filter((name) => name.endsWith('.js'));
  assert.ok(files.length > 10);
  // Node 24 warns on stderr of each read of it.
  for (const name of files)
    assert.doesNotMatch(readFileSync(new URL(name, folder), 'utf8'), /\bF_OK\b/, name);
});

/** The URLs of the modules that the first process ran, and those of each server process. */
async function modulesOfStart(t: TestContext, nodeOptions: string): Promise<string[][]> {
  const directory = temporaryDirectory(t);
  const pids = await startAndStop(t, directory, { NODE_V8_COVERAGE: directory, NODE_OPTIONS: nodeOptions });
  const modules = modulesIn(directory);
  return pids.map((pid) => modules.get(pid) ?? []);
}

function temporaryDirectory(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-modules-'));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/**
 * A gateway of two server processes.
 * @param env its NODE_OPTIONS lack the recorder of traffic, which loads modules to wrap them
 * @returns the ids of its processes, the first one first
 */
async function startAndStop(
  t: TestContext,
  directory: string,
  env: Readonly<Record<string, string>>,
): Promise<number[]> {
  const lines: string[] = [];
  const { child, exited } = spawnGateway(
    {
      directory,
      env: {
        TCP_PROCESSES: '2',
        KAFKA_BROKERS: '127.0.0.1:1',
        SPOOL_DIR: join(directory, 'spool'),
        ...env,
      },
    },
    (line) => lines.push(line),
  );
  t.after(() => void child.kill('SIGKILL'));
  await waitFor('devices can connect', () => lines.some((line) => line.includes('TCP server listening')));
  const first = child.pid as number;
  const pids = [first, ...childrenOf(first)];
  child.kill('SIGTERM');
  await exited;
  return pids;
}

const those = (modules: readonly string[] = [], pattern: RegExp) =>
  modules.filter((url) => pattern.test(url));

/** The URLs of all modules that each process ran, from the coverage that V8 writes at its end. */
function modulesIn(directory: string): Map<number, string[]> {
  const found = new Map<number, string[]>();
  for (const name of readdirSync(directory)) {
    const [, pid] = /^coverage-(\d+)-/.exec(name) ?? [];
    if (pid === undefined) continue;
    const report = JSON.parse(readFileSync(join(directory, name), 'utf8')) as { result: { url: string }[] };
    found.set(
      Number(pid),
      report.result.map(({ url }) => url),
    );
  }
  return found;
}
