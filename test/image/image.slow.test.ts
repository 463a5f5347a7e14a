// Builds the image from the Dockerfile's own steps, without Docker, and runs it. Needs root, namespaces and Debian's packages.
// In `npm test` the stage that installs and compiles is taken from this checkout; `npm run image-test` plays it too.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { skipLoudly, skipWithoutTool } from '../support/missing-tool.ts';
import { waitFor } from '../support/wait.ts';
import { assembleApp } from './app.ts';
import { DownloadError, whatIsMissing } from './bases.ts';
import { build, bytesUnder, type Image } from './build.ts';
import { Container, type ContainerOptions, newVolume } from './container.ts';
import { parseDockerfile } from './dockerfile.ts';
import { Node, serveName } from './node.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const IS_WHOLE = process.env.SLUICE_IMAGE_TEST === 'whole';
const TOKEN = 'a-token-of-24-characters';
const USER = 10001;
const missing = whatIsMissing();
const folder = mkdtempSync(join(tmpdir(), 'sluice-image-'));
chmodSync(folder, 0o755);
after(() => rmSync(folder, { recursive: true, force: true, maxRetries: 3 }));
const image = missing === undefined ? makeImage() : undefined;

/** Undefined if a download failed. */
function makeImage(): Image | undefined {
  const dockerfile = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
  const options = { context: ROOT, folder, args: { REVISION: 'abc' } };
  if (IS_WHOLE) return build(dockerfile, options);
  const stage = join(folder, 'build');
  assembleApp(ROOT, stage);
  try {
    return build(dockerfile, { ...options, ready: { build: stage } });
  } catch (error) {
    if (!(error instanceof DownloadError)) throw error;
    console.error(error.message);
    return undefined;
  }
}

/** A test with a node, which is skipped if the image could not be built. */
function imageTest(
  name: string,
  body: (t: TestContext, image: Image, node: Node) => Promise<void> | void,
): void {
  test(name, { timeout: 180_000 }, async (t) => {
    if (image === undefined) return skip(t);
    const scratch = mkdtempSync(join(folder, 'test-'));
    chmodSync(scratch, 0o755);
    await body(t, image, await Node.start(t, scratch));
  });
}

/** In `npm test` only a missing package fails: not everybody is root, and not every mirror has the release of the image. */
function skip(t: TestContext): void {
  const { what, isPackage } = missing ?? { what: 'packages that could not be downloaded', isPackage: false };
  const why = `the container image was not built and not run: it needs ${what}`;
  if (isPackage || IS_WHOLE) skipWithoutTool(t, why);
  else skipLoudly(t, why);
}

let volumes = 0;
const volumeOf = (made: Image) => newVolume(made, join(folder, `volume-${++volumes}`));

/** A folder as it is mounted from a Secret: only the user of the image can read the file. */
function secretsFolder(): string {
  const secrets = mkdtempSync(join(folder, 'secrets-'));
  chmodSync(secrets, 0o755);
  const file = join(secrets, 'http-token');
  writeFileSync(file, `${TOKEN}\n`, { mode: 0o400 });
  chownSync(file, USER, USER);
  return secrets;
}

async function started(t: TestContext, node: Node, options: ContainerOptions): Promise<Container> {
  const container = new Container(t, options);
  await waitFor('the gateway is ready', async () => {
    if (!container.isRunning) throw new Error(`the container ended\n${container.out}${container.err}`);
    return (await node.ask(options.pod.address, '/readyz'))?.status === 200;
  });
  return container;
}

const reading = (seq: number) => ({ type: 'metrics', seq, data: { temperature: 21.5 } });
const IDENTIFY = { type: 'identify', zipcode: '90210', city: 'Beverly Hills' };

imageTest(
  'the image is small, and has no shell, no npm and nothing that its user can change',
  (_t, { root, settings }) => {
    const megabytes = (path: string) => (bytesUnder(join(root, path)) / 1e6).toFixed(1);
    console.log(
      `The image has ${megabytes('')} MB unpacked: Node ${megabytes('usr/local/bin/node')}, packages in /app ` +
        `${megabytes('app/node_modules')}, the gateway ${megabytes('app/dist')}, Debian's libraries ${megabytes('usr/lib')}`,
    );
    assert.ok(bytesUnder(root) < 180e6);
    for (const path of [
      'bin/sh',
      'bin/bash',
      'usr/local/bin/npm',
      'usr/local/lib/node_modules',
      'usr/bin/dpkg',
    ])
      assert.ok(!existsSync(join(root, path)), path);
    assert.deepEqual(readdirSync(join(root, 'usr/bin')), ['env']);
    assert.ok(existsSync(join(root, 'app/LICENSE')));
    for (const folder of [
      'src',
      'test',
      'bench',
      'simulation',
      'dist/test',
      'dist/bench',
      'node_modules/typescript',
    ])
      assert.ok(!existsSync(join(root, 'app', folder)), folder);
    assert.equal(settings.user, `${USER}:${USER}`);
    const [volume = ''] = settings.volumes;
    for (const path of readdirSync(root, { recursive: true, encoding: 'utf8' })) {
      if (`/${path}`.startsWith(volume) || path === 'tmp') continue;
      const { uid, mode } = statSync(join(root, path), { throwIfNoEntry: false }) ?? { uid: 0, mode: 0 };
      assert.equal(uid, 0, path);
      assert.equal(mode & 0o002, 0, path);
    }
    const { uid, gid, mode } = statSync(join(root, volume));
    assert.deepEqual([uid, gid, mode & 0o777], [USER, USER, 0o700]);
    assert.match(
      readFileSync(join(root, 'var/lib/dpkg/status.d/libc6'), 'utf8'),
      /^Package: libc6\n[\s\S]*^Version: 2\./m,
    );
  },
);

imageTest(
  'it serves as PID 1 with a read-only root, is healthy, and stops in order',
  async (t, made, node) => {
    const pod = await node.pod(t);
    const volume = volumeOf(made);
    const secrets = secretsFolder();
    const env = { HTTP_TOKEN_FILE: '/etc/sluice/http-token', TCP_PROCESSES: '2' };
    const container = await started(t, node, { image: made, pod, volume, secrets, env });

    // A device, without a Kafka: the reading is on the volume when it is confirmed.
    const replies = await node.device(pod.address, [IDENTIFY, reading(1)], 2);
    assert.deepEqual(
      replies.map(({ status, seq }) => [status, seq]),
      [
        ['identified', undefined],
        ['stored', 1],
      ],
    );
    assert.ok(readdirSync(volume, { recursive: true }).length > 1);

    // The admin port, as a kubelet asks it: from another address, with the address of the pod as Host.
    const statusOf = async (path: string, headers?: Record<string, string>, method?: string) =>
      (await node.ask(pod.address, path, headers, method))?.status;
    for (const path of ['/healthz', '/readyz', '/metrics']) assert.equal(await statusOf(path), 200, path);
    assert.equal(await statusOf('/stats'), 401);
    assert.equal(await statusOf('/drain', {}, 'POST'), 401);
    assert.equal(await statusOf('/stats', { authorization: 'Bearer a-token-that-is-wrong' }), 401);
    assert.equal(await statusOf('/healthz', { host: 'evil.example' }), 403);
    const authorization = `Bearer ${TOKEN}`;
    assert.equal(await statusOf('/stats', { authorization }), 200);
    // The page of the dashboard, with its files from the build and from packages.
    const page = await node.ask(pod.address, '/', { authorization, accept: 'text/html' });
    assert.equal(page?.status, 200);
    const files = [...page.text.matchAll(/(?:src|href)="([^"#:]+)"/g)].map(([, path = '']) => path);
    assert.ok(files.length > 1, page.text);
    for (const path of files) assert.equal(await statusOf(`/${path.replace(/^\.?\//, '')}`), 200, path);

    const healthy = await container.exec(made.settings.healthcheck);
    assert.equal(healthy.code, 0, healthy.out + healthy.err);
    const told = await container.exec(['sluice', 'health']);
    assert.match(told.out, /ready/i, told.err);

    const processes = container.processes();
    assert.equal(processes[0]?.pid, 1);
    assert.equal(processes.length, 3);
    const isRight = ({ uid, capabilities }: (typeof processes)[0]) =>
      uid === `${USER} ${USER} ${USER} ${USER}` && /^0+$/.test(capabilities);
    assert.ok(processes.every(isRight), JSON.stringify(processes));

    const isNew = (pid: number) => processes.every((one) => one.pid !== pid);
    // PID 1 takes in the processes that it started. No init is needed.
    container.kill('server-process', 'SIGKILL');
    await waitFor('another server process', () => {
      const now = container.processes();
      return now.length === 3 && now.every(({ state }) => state !== 'Z') && now.some(({ pid }) => isNew(pid));
    });

    const { code, out, err } = await container.stop();
    assert.equal(code, 0, out + err);
  },
);

imageTest('the health check fails if nothing serves', async (t, made, node) => {
  const pod = await node.pod(t);
  const command = made.settings.healthcheck.slice(1);
  const { code, out, err } = await new Container(t, {
    image: made,
    pod,
    volume: volumeOf(made),
    command,
  }).end();
  assert.equal(code, 1, out + err);
  assert.match(out + err, /no answer from the admin port/);
});

imageTest('check, spool ls and load work through the entry point', async (t, made, node) => {
  const volume = volumeOf(made);
  const pod = await node.pod(t);
  const other = await node.pod(t);
  const env = { TCP_PROCESSES: '1' };
  const container = await started(t, node, { image: made, pod, volume, env });
  const target = ['--target', `${pod.address}:8080`];
  const load = [
    'load',
    ...target,
    '--connections',
    '5',
    '--rate',
    '100',
    '--duration',
    '1s',
    '--no-read-back',
  ];
  // The first pod's namespace has the load too: pods reach each other through the node only.
  const loaded = await new Container(t, { image: made, pod, volume: volumeOf(made), command: load }).end();
  assert.match(loaded.out + loaded.err, /confirmed|stored/i);
  assert.equal(loaded.code, 0, loaded.out + loaded.err);
  assert.equal((await container.stop()).code, 0);

  const listed = await new Container(t, { image: made, pod: other, volume, command: ['spool', 'ls'] }).end();
  assert.equal(listed.code, 0, listed.out + listed.err);
  assert.match(listed.out, /weather\.metrics\.raw/);
  const checks = [];
  for (const codec of ['snappy', 'lz4', 'zstd']) {
    const options = { image: made, pod: other, volume, command: ['check'] };
    checks.push(new Container(t, { ...options, env: { KAFKA_COMPRESSION: codec } }).end());
  }
  for (const { code, out, err } of await Promise.all(checks)) {
    assert.equal(code, 1, out + err);
    assert.match(out, /ok +KAFKA_COMPRESSION=\w+ works here/);
    assert.match(out, /KAFKA_BROKERS: localhost:9092: nothing listens there/);
    assert.match(out, /\n1 error, /, out);
  }
});

imageTest('it finds brokers by their names, short ones too as Kubernetes has them', async (t, made, node) => {
  const pod = await node.pod(t);
  await serveName(t, pod, 'kafka.devices.svc.cluster.local');
  const resolver =
    'search devices.svc.cluster.local svc.cluster.local\nnameserver 127.0.0.1\noptions ndots:5';
  const check = async (broker: string) => {
    const env = { KAFKA_BROKERS: broker };
    const options = { image: made, pod, volume: volumeOf(made), command: ['check'], env, resolver };
    return (await new Container(t, options).end()).out;
  };
  // Where nothing listens the name was found.
  for (const name of ['kafka', 'kafka.devices.svc.cluster.local'])
    assert.match(await check(`${name}:9092`), /KAFKA_BROKERS: kafka\S*:9092: nothing listens there/);
  assert.match(await check('kafkaa:9092'), /KAFKA_BROKERS: kafkaa:9092: .*name/);
});

imageTest('a folder of root in place of the volume is refused with what to do', async (t, made, node) => {
  const volume = mkdtempSync(join(folder, 'of-root-'));
  chmodSync(volume, 0o755);
  const { code, out, err } = await new Container(t, { image: made, pod: await node.pod(t), volume }).end();
  assert.equal(code, 78, out + err);
  assert.match(out + err, /\/var\/lib\/sluice.*10001/);
});

imageTest('a shell, which the image does not have, is an unknown command', async (t, made, node) => {
  const options = { image: made, pod: await node.pod(t), volume: volumeOf(made), command: ['sh'] };
  const { code, out, err } = await new Container(t, options).end();
  assert.equal(code, 64);
  assert.match(out + err, /unknown command 'sh', see sluice --help/);
});

imageTest('two containers on one volume exclude each other, though each is PID 1', async (t, made, node) => {
  const volume = volumeOf(made);
  const env = { TCP_PROCESSES: '1', SHUTDOWN_TIMEOUT: '1s' };
  const first = await started(t, node, { image: made, pod: await node.pod(t), volume, env });
  const second = await new Container(t, { image: made, pod: await node.pod(t), volume, env }).end();
  assert.equal(second.code, 78, second.out + second.err);
  assert.match(second.out + second.err, /lock/i);
  assert.equal((await first.stop()).code, 0);
  const third = await started(t, node, { image: made, pod: await node.pod(t), volume, env });
  assert.equal((await third.stop()).code, 0);
});

imageTest('it writes to its volume and tries to write nowhere else', async (t, made, node) => {
  const traces = join(folder, 'traces');
  mkdirSync(traces);
  const under = [
    'strace',
    '-ff',
    '-qq',
    '--seccomp-bpf',
    '-Z',
    '-e',
    'trace=%file',
    '-o',
    join(traces, 'trace'),
  ];
  const pod = await node.pod(t);
  const env = { TCP_PROCESSES: '1' };
  const container = await started(t, node, { image: made, pod, volume: volumeOf(made), env, under });
  await node.device(pod.address, [IDENTIFY, reading(1)], 2);
  assert.equal((await container.stop()).code, 0);
  const failed = readdirSync(traces).flatMap((name) => readFileSync(join(traces, name), 'utf8').split('\n'));
  assert.ok(failed.some((line) => line.includes('ENOENT')));
  assert.deepEqual(
    failed.filter((line) => /EROFS|EACCES|EPERM/.test(line)),
    [],
  );
});

if (IS_WHOLE) {
  imageTest(
    'the image of the example consumer starts, is asked for its health and stops',
    async (t, _made, node) => {
      const context = join(ROOT, 'examples/consumer');
      const target = join(folder, 'consumer');
      mkdirSync(target);
      const made = build(parseDockerfile(readFileSync(join(context, 'Dockerfile'), 'utf8')), {
        context,
        folder: target,
      });
      assert.ok(bytesUnder(made.root) < 150e6);
      const pod = await node.pod(t);
      const env = { KAFKA_BROKERS: '127.0.0.1:9', DATABASE_URL: 'postgresql://reader@127.0.0.1:9/weather' };
      const container = new Container(t, { image: made, pod, env });
      await waitFor('the consumer has tried PostgreSQL', () =>
        /ECONNREFUSED/.test(container.out + container.err),
      );
      const page =
        "fetch('http://127.0.0.1:9109/healthz').then(async (r) => console.log(r.status, await r.text()))";
      assert.match((await container.exec(['node', '-e', page])).out, /^503 .*"problems":\["postgres: /);
      const { code, err } = await container.exec(made.settings.healthcheck);
      assert.deepEqual([code, err], [1, '']);
      const stopped = await container.stop();
      assert.equal(stopped.code, 0, stopped.out + stopped.err);
      assert.match(stopped.out + stopped.err, /has stopped/);
    },
  );

  imageTest('built for another processor it has the native packages of that one', () => {
    const target = process.arch === 'arm64' ? 'amd64' : 'arm64';
    const elsewhere = join(folder, target);
    mkdirSync(elsewhere);
    const dockerfile = parseDockerfile(readFileSync(join(ROOT, 'Dockerfile'), 'utf8'));
    const options = { context: ROOT, folder: elsewhere, args: { TARGETARCH: target }, target: 'build' };
    const { root } = build(dockerfile, options);
    // The machine in the head of an ELF file.
    const machine = target === 'arm64' ? 0xb7 : 0x3e;
    const native = readdirSync(join(root, 'app'), { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.node'),
    );
    assert.equal(native.length, 4, native.join(', '));
    for (const path of native)
      assert.equal(readFileSync(join(root, 'app', path)).readUInt16LE(18), machine, path);
  });
}
