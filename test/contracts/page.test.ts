// The programs and the command of docs/contracts.md are run. Python's jsonschema is also a second opinion on the schemas: another
// language with other regular expressions has to judge the lines at each limit in the same way.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { temporaryDirectory } from '../support/directory.ts';
import { skipWithoutTool } from '../support/missing-tool.ts';
import { LIMITS } from './limits.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const PAGE = readFileSync(join(ROOT, 'docs/contracts.md'), 'utf8');
const PYTHON = process.env.SLUICE_TEST_PYTHON ?? 'python3';
const NO_JSON = [
  '{"type":"metrics","data":{"a":NaN}}',
  '{"type":"metrics","data":{"a":-Infinity}}',
  '{"type":',
];
const LINES = [...LIMITS.flat(), ...NO_JSON];
const WANTED = [...LIMITS.flatMap(() => ['valid', 'invalid']), ...NO_JSON.map(() => 'invalid')];

/** The only fence of the page in this language. */
function program(language: string): string {
  const fences = [...PAGE.matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'))];
  assert.equal(fences.length, 1, `the page has one program in ${language}`);
  return fences[0]?.[1] ?? '';
}

function verdicts(command: string, args: readonly string[]): string[] {
  const { stdout, stderr, status } = spawnSync(command, args, {
    cwd: ROOT,
    input: `${LINES.join('\n')}\n`,
    encoding: 'utf8',
    timeout: 60_000,
  });
  assert.equal(status, 0, stderr);
  return stdout
    .trim()
    .split('\n')
    .map((line) => line.split(':')[0] ?? '');
}

/** A line of both lists, so that a difference can be read. */
const shown = (words: readonly string[]) =>
  words.map((word, index) => `${word} ${LINES[index]?.slice(0, 200)}`);

test('the program in Python judges lines at each limit as the gateway does', (t) => {
  if (spawnSync(PYTHON, ['-c', 'import jsonschema']).status !== 0)
    return skipWithoutTool(
      t,
      'jsonschema for Python is missing (on Debian: apt-get install python3-jsonschema)',
    );
  assert.deepEqual(shown(verdicts(PYTHON, ['-c', program('python')])), shown(WANTED));
});

test('the program for Node.js judges lines at each limit as the gateway does', (t) => {
  // In the checkout, because it imports a package.
  mkdirSync(join(ROOT, '.cache'), { recursive: true });
  const directory = mkdtempSync(join(ROOT, '.cache/contracts-'));
  t.after(() => rmSync(directory, { recursive: true }));
  const file = join(directory, 'validate.mjs');
  writeFileSync(file, program('js'));
  assert.deepEqual(shown(verdicts(process.execPath, [file])), shown(WANTED));
});

test('TCP_IDENTIFY=device_id npm run contracts -- data/contracts', (t) => {
  assert.ok(PAGE.includes(`\n${t.name}\n`), 'the page has this command');
  const { directory, run } = commandFor(t);
  const made = run([join(directory, 'contracts')], {
    TCP_IDENTIFY: 'device_id',
    TCP_PORT: '9000',
    KAFKA_TOPIC_METRICS: 'readings-of-trucks',
  });
  assert.equal(made.status, 0, made.stderr);
  assert.match(made.stdout, /wrote .*contracts\/asyncapi\.json/);
  const schema = readFileSync(join(directory, 'contracts/device-message.schema.json'), 'utf8');
  const { $defs } = JSON.parse(schema) as { $defs: Record<string, { required: string[] }> };
  assert.deepEqual($defs.identify?.required, ['type', 'device_id']);
  const document = JSON.parse(readFileSync(join(directory, 'contracts/asyncapi.json'), 'utf8')) as {
    servers: Record<string, { host: string }>;
    channels: Record<string, { address: string | null }>;
  };
  assert.equal(document.servers.devices?.host, 'gateway.example.com:9000');
  assert.equal(document.channels.readings?.address, 'readings-of-trucks');
  assert.equal(document.channels.presence?.address, null);
});

test('npm run contracts says which setting is wrong, and how it is called', (t) => {
  const { run } = commandFor(t);
  const wrong = run(['x'], { TCP_IDENTIFY: 'zip' });
  assert.equal(wrong.status, 78);
  assert.match(wrong.stderr, /TCP_IDENTIFY/);
  assert.match(run(['--help']).stdout, /^Usage: npm run contracts -- DIRECTORY\n/);
  for (const args of [[], ['a', 'b'], ['--all']]) {
    const { status, stderr } = run(args);
    assert.deepEqual([status, stderr], [2, 'Usage: npm run contracts -- DIRECTORY\n']);
  }
});

function commandFor(t: TestContext) {
  const directory = temporaryDirectory(t);
  const main = fileURLToPath(new URL('../../scripts/contracts/main.js', import.meta.url));
  const run = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    spawnSync(process.execPath, [main, ...args], {
      cwd: directory,
      env: { PATH: process.env.PATH, ...env },
      encoding: 'utf8',
    });
  return { directory, run };
}
