// The import rules of docs/architecture.md: which folder may import which, and what only one file may use.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

// Tests run from dist/test.
const ROOT = fileURLToPath(new URL('../../', import.meta.url));

interface Source {
  /** Below src (`server/connection.ts`), or with the product's folder (`load/run.ts`). */
  readonly path: string;
  /** The first folder (`server`), or the file itself if it is directly in src. */
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

const sourcesIn = (folder: string): Source[] =>
  readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
    .filter((path) => /\.tsx?$/.test(path))
    .sort()
    .map((path) => parse(join(folder, path)));

const sources = ['src', 'load', 'bench', 'conformance', 'plan'].flatMap(sourcesIn);

/** The areas, or single files, that each area may import besides itself. */
const ARROWS: Readonly<Record<string, readonly string[]>> = {
  config: [],
  protocol: [],
  time: [],
  checksum: [],
  disk: [],
  // The page for browsers is served by admin, and knows no other code of the gateway.
  dashboard: ['admin/static-files.ts', 'config/package-root.ts'],
  // Comes before everything that it checks.
  start: ['config', 'log', 'disk', 'spool', 'server/listening-handle.ts'],
  // It asks everything that a gateway depends on, and starts nothing. The files of `server` judge limits and ports.
  check: [
    'config',
    'log',
    'files',
    'start',
    'spool',
    'tokens',
    'kafka',
    'health/findings.ts',
    'health/found.ts',
    'health/expiry-components.ts',
    'server/limits.ts',
    'server/listening-handle.ts',
  ],
  // Histograms, which any hot path may fill.
  measure: [],
  log: ['config'],
  // Files that change while the gateway runs: certificates, tokens, passwords.
  files: ['config', 'log'],
  // The CLI edits the file, the server checks with it.
  tokens: ['config', 'disk'],
  queue: ['protocol'],
  // The seq that is stored for each device. The file of an orderly stop lies beside the spool, under its lock.
  resume: ['protocol', 'log', 'disk', 'checksum', 'spool/lock.ts'],
  server: ['queue', 'protocol', 'config', 'log', 'time', 'tokens', 'checksum', 'resume/resume-table.ts'],
  workers: ['queue', 'protocol', 'config', 'log', 'measure'],
  profile: ['inspect/profile-question.ts'],
  // It sees lines as workers do, and tells of them in the form of the answers.
  tap: [
    'protocol',
    'config/ip-address.ts',
    'config/printable.ts',
    'queue/job.ts',
    'workers/record-sink.ts',
    'workers/line-watch.ts',
    'inspect/line-questions.ts',
  ],
  // `job.ts` for the types of job and session, `congestion.ts` for the partitions whose devices wait, `record-sink.ts` for
  // the interface that the batcher implements.
  kafka: [
    'protocol',
    'config',
    'log',
    'time',
    'checksum',
    'files',
    'measure',
    'spool',
    'queue/job.ts',
    'queue/congestion.ts',
    'workers/record-sink.ts',
  ],
  spool: ['checksum', 'disk', 'measure', 'config/exit-codes.ts'],
  // It carries questions and answers. Of connections it knows the facts, not the class.
  inspect: [
    'log',
    'config/ip-address.ts',
    'server/connection-facts.ts',
    'server/departures.ts',
    'server/read-pauses.ts',
  ],
  // The two files of `server` count by address, here wrong tokens.
  admin: [
    'protocol',
    'config',
    'log',
    'time',
    'files',
    'health',
    'inspect',
    'measure',
    'disk/owner-only.ts',
    'profile/profiler.ts',
    'start/listen-error.ts',
    'server/address.ts',
    'server/key-rates.ts',
    'dashboard/static-files.ts',
  ],
  // It judges the figures of a snapshot, and logs what changes.
  health: ['admin/snapshot.ts', 'admin/kafka-figures.ts', 'config', 'log'],
  // It writes records of its own, in the order of the ledger.
  presence: ['protocol', 'config', 'log', 'files', 'kafka', 'spool', 'admin/snapshot.ts'],
  // It wires several processes: a gateway in each, one port and one set of figures for all.
  processes: [
    'config',
    'log',
    'time',
    'files',
    'admin',
    'inspect',
    'server',
    'resume/over-restarts.ts',
    'spool',
    'start',
    'gateway',
    'presence',
  ],
  cli: [
    'config',
    'log',
    'time',
    'files',
    'kafka',
    'letters',
    'spool',
    'tokens',
    'measure',
    'check',
    'protocol/hidden-tokens.ts',
    'protocol/line-decoder.ts',
    'gateway/lifecycle.ts',
    'gateway/drain.ts',
    'gateway/stop-report.ts',
    'gateway/stop-result.ts',
    'processes/server-process-flag.ts',
  ],
  // The files of the protocol turn a refused line into the records that it would have become.
  letters: [
    'checksum',
    'disk',
    'kafka',
    'spool',
    'protocol/hidden-tokens.ts',
    'protocol/json-scan.ts',
    'protocol/line-decoder.ts',
    'protocol/messages.ts',
    'protocol/plain-line.ts',
    'protocol/record-frame.ts',
    'protocol/tags.ts',
  ],
  // A client that knows docs/protocol.md and nothing of the gateway.
  conformance: [],
  // It decompresses batches because it reads the topic back like any consumer.
  load: ['protocol', 'config', 'kafka/batches/compression.ts', 'checksum', 'server/limits.ts'],
};

/** The folders of src/kafka, and what each may import of the others. */
const KAFKA_ARROWS: Readonly<Record<string, readonly string[]>> = {
  wire: [],
  client: ['wire'],
  // Tokens for logins. `connect-advice.ts` explains names that cannot be resolved.
  login: ['client'],
  batches: [],
  delivery: ['batches', 'wire'],
  topics: ['client', 'wire', 'batches'],
  pipelines: ['batches', 'client', 'delivery', 'topics'],
};

/** The wiring may import everything. */
const WIRING = [
  'app.ts',
  'gateway',
  'main.ts',
  'commands.ts',
  'program.ts',
  'serve.ts',
  'start-gateway.ts',
  'start-server-process.ts',
  'bench',
  'plan',
];

describe('imports', () => {
  it('are found at all', () => {
    assert.ok(sources.length > 40);
    const found = (path: string) => sources.find((source) => source.path === path)?.imports ?? [];
    assert.ok(found('gateway/gateway.ts').some(({ target }) => target === 'kafka/kafka.ts'));
    assert.ok(found('server/connection.ts').some(({ target }) => target === 'queue/job.ts'));
    assert.ok(
      found('kafka/client/kafkajs.ts').some(({ target }) => target === 'kafkajs/src/broker/index.js'),
    );
    assert.ok(found('kafka/batches/compression.ts').some(({ target }) => target === 'kafkajs-snappy'));
  });

  it('belong to areas whose arrows are known', () => {
    for (const { path, area } of sources) assert.ok(area in ARROWS || WIRING.includes(area), path);
  });

  for (const [area, allowed] of Object.entries(ARROWS)) {
    it(`of ${area} lead to ${['itself', ...allowed].join(', ')} and nowhere else`, () => {
      const used = new Set<string>();
      for (const { path, imports } of sources.filter((source) => source.area === area)) {
        for (const { target, area: other } of imports) {
          if (other === undefined || other === area) continue;
          const arrow = [other, target].find((one) => allowed.includes(one));
          assert.ok(arrow !== undefined, `${path} imports ${target}`);
          used.add(arrow);
        }
      }
      // An arrow that nobody needs any more would let the next import pass unseen.
      assert.deepEqual(
        allowed.filter((one) => !used.has(one)),
        [],
      );
    });
  }

  for (const [folder, allowed] of Object.entries(KAFKA_ARROWS)) {
    it(`of kafka/${folder} lead to ${['itself', ...allowed].join(', ')} and to no other folder of kafka`, () => {
      const inFolder = sources.filter(({ path }) => path.startsWith(`kafka/${folder}/`));
      assert.ok(inFolder.length > 0);
      for (const { path, imports } of inFolder) {
        for (const { target, area } of imports.filter((one) => one.area === 'kafka')) {
          const inKafka = target.slice(`${area}/`.length);
          const other = areaOf(inKafka);
          assert.ok(
            [folder, ...allowed].some((one) => one === other || one === inKafka),
            `${path}: ${target}`,
          );
        }
      }
    });
  }

  it('of kafka know no other folders of it than these', () => {
    const folders = sources.flatMap(({ path }) => /^kafka\/([^/]+)\//.exec(path)?.[1] ?? []);
    assert.deepEqual([...new Set(folders)].sort(), Object.keys(KAFKA_ARROWS).sort());
  });

  it('are never circular, types included', () => {
    const all = [...sources, ...sourcesIn('scripts')];
    const edges = all.flatMap(({ path, imports }) => imports.map(({ target }) => ({ path, target })));
    assert.deepEqual(circlesIn(edges), []);
  });

  it('of Node’s own modules say node:', () => {
    for (const { path, imports } of sources) {
      for (const { target } of imports) assert.ok(!builtinModules.includes(target), `${path}: ${target}`);
    }
  });
});

/** One file that imports another. */
interface Edge {
  readonly path: string;
  readonly target: string;
}

/** Drops edges into files that import nothing and edges from files that nobody imports, until only circles are left. */
function circlesIn(edges: readonly Edge[]): string[] {
  const importing = new Set(edges.map(({ path }) => path));
  const imported = new Set(edges.map(({ target }) => target));
  const left = edges.filter(({ path, target }) => importing.has(target) && imported.has(path));
  if (left.length < edges.length) return circlesIn(left);
  return left.map(({ path, target }) => `${path} imports ${target}`);
}

const gateway = sources.filter(({ area }) => area !== 'load' && area !== 'bench');

/** The files of the gateway that import a package, or a part of it. */
const importers = (name: string) =>
  gateway
    .filter(({ imports }) => imports.some(({ target }) => target === name || target.startsWith(`${name}/`)))
    .map(({ path }) => path);

describe('only one place', () => {
  it('reads the environment: config/environment.ts', () => {
    const readers = gateway.filter(({ code }) => /\bprocess\s*(?:\.|\?\.|\[['"])\s*env\b/.test(code));
    assert.deepEqual(
      readers.map(({ path }) => path),
      ['config/environment.ts'],
    );
    for (const { path, imports } of sources) {
      assert.ok(
        !imports.some(({ target, names }) => target === 'node:process' && /\benv\b/.test(names)),
        path,
      );
    }
  });

  it('imports kafkajs: kafka/client/kafkajs.ts, and in the load tool only the topic reader', () => {
    assert.deepEqual(importers('kafkajs'), ['kafka/client/kafkajs.ts']);
    const reader = sources.find(({ path }) => path === 'load/verification/topic-reader.ts');
    assert.ok(reader?.imports.some(({ target }) => target === 'kafkajs'));
    assert.ok(!reader?.imports.some(({ target }) => target.startsWith('kafkajs/')));
  });

  it('of the gateway imports the load tool, the bench or the plan: the table of commands', () => {
    for (const { path, imports } of sources) {
      if (['load', 'bench', 'plan'].includes(areaOf(path)) || path === 'commands.ts') continue;
      assert.ok(!imports.some(({ area }) => ['load', 'bench', 'plan'].includes(area ?? '')), path);
    }
  });

  it('imports the compression packages: kafka/batches/compression.ts and snappy.ts', () => {
    for (const name of ['kafkajs-snappy', 'lz4-napi', 'snappy', 'snappyjs']) {
      for (const path of importers(name)) assert.match(path, /^kafka\/batches\/(?:compression|snappy)\.ts$/);
    }
  });

  it('imports prom-client: admin/metrics.ts, which loads it at the first scrape', () => {
    assert.deepEqual(importers('prom-client'), ['admin/metrics.ts']);
  });

  it('imports OpenTelemetry: admin/otlp, which is loaded only if an endpoint is set', () => {
    const packages = importers('@opentelemetry');
    assert.ok(packages.length > 0);
    for (const path of packages) assert.match(path, /^admin\/otlp\//);
    const loaders = gateway.filter(
      ({ path, imports }) =>
        !path.startsWith('admin/otlp/') && imports.some(({ target }) => target.startsWith('admin/otlp/')),
    );
    assert.deepEqual(
      loaders.map(({ path }) => path),
      ['admin/admin-server.ts'],
    );
    const [loader] = loaders;
    assert.match(loader?.code ?? '', /await import\('\.\/otlp\/push\.ts'\)/);
    assert.doesNotMatch(loader?.code ?? '', /^import (?!type ).*otlp/m);
  });

  it('imports Preact and uPlot: the page, which no other file imports', () => {
    for (const path of [...importers('preact'), ...importers('uplot')])
      assert.match(path, /^dashboard\/page\//);
    for (const { path, imports } of sources.filter((one) => !one.path.startsWith('dashboard/page/')))
      assert.ok(!imports.some(({ target }) => target.startsWith('dashboard/page/')), path);
    for (const { path, imports } of sources.filter((one) => one.path.startsWith('dashboard/page/')))
      assert.ok(!imports.some(({ target }) => target.startsWith('node:')), path);
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

  it('listens for HTTP: admin; the clients of the commands and that of the token endpoint only ask', () => {
    const clients = ['cli/remote/client.ts', 'cli/probe/run.ts', 'kafka/login/token-endpoint.ts'];
    for (const { imports } of gateway.filter(({ path }) => clients.includes(path))) {
      const names = imports.filter(({ target }) => /^node:https?$/.test(target)).map((one) => one.names);
      assert.ok(names.length > 0 && names.every((one) => !/\b(?:createServer|Server)\b|\*/.test(one)));
    }
    for (const name of ['node:http', 'node:https', 'node:http2']) {
      for (const path of importers(name).filter((one) => !clients.includes(one)))
        assert.equal(areaOf(path), 'admin');
    }
  });

  it('imports the signer for AWS: kafka/login/msk-iam.ts, with the first token', () => {
    assert.deepEqual(importers('aws-msk-iam-sasl-signer-js'), ['kafka/login/msk-iam.ts']);
    const signer = sources.find(({ path }) => path === 'kafka/login/msk-iam.ts');
    assert.doesNotMatch(signer?.code ?? '', /^import (?!type ).*aws/m);
  });
});
