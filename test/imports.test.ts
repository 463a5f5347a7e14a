// The arrows of docs/architecture.md: who may import whom, and what only one place may touch.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

// Tests run from dist/test.
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Source {
  /** Below src: `server/connection.ts`; of the other products with their folder: `load/run.ts`. */
  readonly path: string;
  /** `server`, or the file itself where it lies directly in src. */
  readonly area: string;
  /** Without comments. */
  readonly code: string;
  readonly imports: readonly Import[];
}

interface Import {
  /** A package, or a path below src. */
  readonly target: string;
  readonly area: string | undefined;
  readonly names: string;
}

const IMPORT = /^(?:import|export)\s+(?:type\s+)?([\w*{][^'"]*?)\s*from\s+'([^']+)';/gm;
const OTHER_IMPORT = /\b(?:import|require|load(?:<.*?>)?)\(\s*'([^']+)'|^import\s+'([^']+)'/gm;

const areaOf = (path: string) => (path.includes('/') ? path.slice(0, path.indexOf('/')) : path);

/** @param file from the root of the project */
function parse(file: string): Source {
  const code = readFileSync(join(ROOT, file), 'utf8')
    .replace(/\/\*[\s\S]*?\*\//g, '')
    .replace(/(^|\s)\/\/.*$/gm, '$1');
  const resolve = (specifier: string, names: string): Import => {
    if (!specifier.startsWith('.')) return { target: specifier, area: undefined, names };
    const target = shortPath(normalize(join(dirname(file), specifier)));
    return { target, area: areaOf(target), names };
  };
  const imports = [
    ...[...code.matchAll(IMPORT)].map(([, names = '', specifier = '']) => resolve(specifier, names)),
    ...[...code.matchAll(OTHER_IMPORT)].map(([, called, bare]) => resolve(called ?? bare ?? '', '')),
  ];
  const path = shortPath(file);
  return { path, area: areaOf(path), code, imports };
}

const shortPath = (path: string) => path.replace(/^src\//, '');

const sources = ['src', 'load', 'bench']
  .flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' }).map((path) => join(folder, path)),
  )
  .filter((path) => path.endsWith('.ts'))
  .sort()
  .map(parse);

/** What each area may import of src besides itself: an area, or one file of it. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  config: [],
  protocol: [],
  time: [],
  log: ['config'],
  queue: ['protocol', 'config'],
  server: ['queue', 'protocol', 'config', 'log'],
  workers: ['queue', 'protocol', 'config'],
  // Of the workers only the interface it implements, of the queue only the types of job and session.
  kafka: ['protocol', 'config', 'log', 'time', 'spool', 'queue/job.ts', 'workers/record-sink.ts'],
  spool: ['protocol', 'time'],
  admin: ['protocol', 'config', 'log'],
  // The wiring of several processes: the gateway in each, and the port and the figures of them all.
  processes: ['config', 'log', 'time', 'admin', 'server', 'spool', 'gateway', 'app.ts'],
  // `sluice load` is the one place where the gateway knows the load tool.
  cli: [
    'config',
    'log',
    'app.ts',
    'kafka',
    'spool',
    'processes/process-handle.ts',
    'load/command/command.ts',
  ],
  // Of the Kafka side only how a batch is decompressed: the load reads a topic back as any consumer would.
  load: [
    'protocol',
    'config',
    'kafka/batches/compression.ts',
    'spool/crc32c.ts',
    'cli/spool/output.ts',
    'cli/spool/table.ts',
  ],
};

/** The wiring: these see everything. */
const WIRING = ['app.ts', 'gateway', 'main.ts', 'bench'];

describe('imports', () => {
  it('are found at all', () => {
    assert.ok(sources.length > 40);
    const found = (path: string) => sources.find((source) => source.path === path)?.imports ?? [];
    assert.ok(found('gateway/gateway.ts').some(({ target }) => target === 'kafka/kafka.ts'));
    assert.ok(found('server/connection.ts').some(({ target }) => target === 'queue/job.ts'));
    assert.ok(found('kafka/client/kafkajs.ts').some(({ target }) => target === 'kafkajs/src/broker'));
    assert.ok(found('kafka/batches/compression.ts').some(({ target }) => target === 'kafkajs-snappy'));
  });

  it('belong to areas whose arrows are known', () => {
    for (const { path, area } of sources) assert.ok(area in ARROWS || WIRING.includes(area), path);
  });

  for (const [area, allowed] of Object.entries(ARROWS)) {
    it(`of ${area} lead to ${['itself', ...allowed].join(', ')} and nowhere else`, () => {
      for (const { path, imports } of sources.filter((source) => source.area === area)) {
        for (const { target, area: other } of imports) {
          if (other === undefined || other === area) continue;
          assert.ok(allowed.includes(other) || allowed.includes(target), `${path} imports ${target}`);
        }
      }
    });
  }

  it('of Node’s own modules say node:', () => {
    for (const { path, imports } of sources) {
      for (const { target } of imports) assert.ok(!builtinModules.includes(target), `${path}: ${target}`);
    }
  });
});

const gateway = sources.filter(({ area }) => area !== 'load' && area !== 'bench');

/** The files of the gateway that import a package, or a part of it. */
const importers = (name: string) =>
  gateway
    .filter(({ imports }) => imports.some(({ target }) => target === name || target.startsWith(`${name}/`)))
    .map(({ path }) => path);

describe('only one place', () => {
  it('reads the environment: config/load.ts', () => {
    const readers = gateway.filter(({ code }) => /\bprocess\s*(?:\.|\?\.|\[['"])\s*env\b/.test(code));
    assert.deepEqual(
      readers.map(({ path }) => path),
      ['config/load.ts'],
    );
    for (const { path, imports } of sources) {
      assert.ok(
        !imports.some(({ target, names }) => target === 'node:process' && /\benv\b/.test(names)),
        path,
      );
    }
  });

  it('knows kafkajs: kafka/client/kafkajs.ts, and from outside only the reader of the load', () => {
    assert.deepEqual(importers('kafkajs'), ['kafka/client/kafkajs.ts']);
    const reader = sources.find(({ path }) => path === 'load/verification/topic-reader.ts');
    assert.ok(reader?.imports.some(({ target }) => target === 'kafkajs'));
    assert.ok(!reader?.imports.some(({ target }) => target.startsWith('kafkajs/')));
  });

  it('imports the load tool or the bench: the command line of the gateway', () => {
    for (const { path, imports } of sources) {
      if (['load', 'bench'].includes(areaOf(path)) || ['cli/command-line.ts', 'main.ts'].includes(path))
        continue;
      assert.ok(!imports.some(({ area }) => area === 'load' || area === 'bench'), path);
    }
  });

  it('knows the compression packages: kafka/batches/compression.ts and snappy.ts', () => {
    for (const name of ['kafkajs-snappy', 'lz4', 'snappy', 'snappyjs']) {
      for (const path of importers(name)) assert.match(path, /^kafka\/batches\/(?:compression|snappy)\.ts$/);
    }
  });

  it('knows prom-client: admin', () => {
    assert.deepEqual([...new Set(importers('prom-client').map(areaOf))], ['admin']);
  });

  it('listens for TCP: server', () => {
    const listening = gateway.filter(({ imports }) =>
      imports.some(
        ({ target, names }) => target === 'node:net' && /\b(?:createServer|Server)\b|\*/.test(names),
      ),
    );
    assert.deepEqual(
      listening.map(({ path }) => path),
      ['server/acceptor.ts'],
    );
  });

  it('listens for HTTP: admin', () => {
    for (const name of ['node:http', 'node:https', 'node:http2']) {
      for (const path of importers(name)) assert.equal(areaOf(path), 'admin');
    }
  });
});
