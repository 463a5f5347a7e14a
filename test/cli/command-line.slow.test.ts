// The command line as a program: its proposals, and the modules that a command loads.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, it, type TestContext } from 'node:test';
import { temporaryDirectory } from '../support/directory.ts';
import { runProgram } from '../support/program.ts';

const sluice = (args: readonly string[], env?: Readonly<Record<string, string>>) =>
  runProgram('src/main.js', args, { env: env ?? {} });

/** The modules that a command loads, as V8's coverage names them. */
async function modulesOf(t: TestContext, ...args: readonly string[]): Promise<string[]> {
  const directory = temporaryDirectory(t);
  await sluice(args, { NODE_V8_COVERAGE: directory, SPOOL_DIR: directory });
  const reports = readdirSync(directory).filter((name) => name.startsWith('coverage-'));
  return reports.flatMap((name) => {
    const { result } = JSON.parse(readFileSync(join(directory, name), 'utf8')) as {
      result: { url: string }[];
    };
    return result.map(({ url }) => url);
  });
}

describe('a command loads only what it needs', () => {
  const GATEWAY = /\/dist\/src\/(?:app|gateway|server|kafka|admin|health|workers|processes\/p|log)\b/;
  const HEAVY = /\/node_modules\/(?:kafkajs|pino|prom-client|@opentelemetry|snappy|lz4-napi)\b/;
  const LOAD_TOOL = /\/dist\/load\//;
  const SETTINGS = /\/dist\/src\/config\/settings\.js/;
  const cases: readonly (readonly [args: readonly string[], without: readonly RegExp[]])[] = [
    [['--version'], [GATEWAY, HEAVY, LOAD_TOOL, SETTINGS]],
    [['--help'], [GATEWAY, HEAVY, LOAD_TOOL, SETTINGS]],
    [['spoool'], [GATEWAY, HEAVY, LOAD_TOOL, SETTINGS]],
    [
      ['token', 'list', '--file', '/nowhere'],
      [GATEWAY, HEAVY, LOAD_TOOL, SETTINGS],
    ],
    [
      ['spool', 'ls'],
      [GATEWAY, HEAVY, LOAD_TOOL],
    ],
    [
      ['health', '--url', '127.0.0.1:1'],
      [GATEWAY, HEAVY, LOAD_TOOL],
    ],
    // Health checks run it every few seconds.
    [['probe'], [GATEWAY, HEAVY, LOAD_TOOL, SETTINGS]],
    [
      ['top', '--url', '127.0.0.1:1'],
      [GATEWAY, HEAVY, LOAD_TOOL],
    ],
    [
      ['completion', 'bash'],
      [GATEWAY, HEAVY, LOAD_TOOL, SETTINGS],
    ],
    [['--print-config'], [GATEWAY, HEAVY, LOAD_TOOL]],
  ];
  for (const [args, without] of cases) {
    it(`sluice ${args.join(' ')}`, async (t) => {
      const modules = await modulesOf(t, ...args);
      assert.ok(
        modules.some((url) => url.endsWith('/dist/src/main.js')),
        'nothing is seen',
      );
      for (const pattern of without)
        assert.deepEqual(
          modules.filter((url) => pattern.test(url)),
          [],
        );
    });
  }

  it('and the patterns above find what a gateway loads', async (t) => {
    // It fails after it has loaded everything.
    const modules = await modulesOf(t, 'spool', 'drain', '--brokers', '127.0.0.1:1');
    assert.ok(modules.some((url) => /\/node_modules\/kafkajs\b/.test(url)));
    assert.ok(modules.some((url) => /\/dist\/src\/kafka\//.test(url)));
    assert.ok(modules.some((url) => SETTINGS.test(url)));
  });
});

describe('an unknown command', () => {
  it('is answered with the near ones, and exit code 64', async () => {
    for (const [word, near] of [
      ['spoool', 'spool'],
      ['tokne', 'token'],
      ['serv', 'serve'],
    ] as const) {
      const { code, err } = await sluice([word]);
      assert.equal(code, 64);
      assert.equal(err, `error: unknown command '${word}', did you mean ${near}?\n`);
    }
    assert.match((await sluice(['spool', 'sl'])).err, /unknown command 'sl'\n\(Did you mean ls\?\)/);
  });

  it('that resembles none gets no proposal', async () => {
    assert.equal((await sluice(['quux'])).err, "error: unknown command 'quux', see sluice --help\n");
  });
});
