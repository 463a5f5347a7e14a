// The npm package, as a user gets it: packed, installed into an empty folder, and run from there. It fails if a file or a
// dependency is missing, or if something of tests, bench or scripts is in it. Prints its size and how long the install takes.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../scripts/kafka/ports.ts';
import { childrenOf } from '../../scripts/lib/proc.ts';
import { Device, IDENTIFY } from '../support/device.ts';
import { runCommand, userEnvironment } from '../support/npm.ts';
import { waitFor } from '../support/wait.ts';
import { brokenImports, type Manifest, notAllowed, unpack } from './contents.ts';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
/** The archive is downloaded at each install, and is bigger if something got in that does not belong there. */
const MAX_ARCHIVE_BYTES = 1.5 * 1024 * 1024;
const MIB = 1024 * 1024;

describe('the npm package', () => {
  let home: string;
  let unpacked: string;
  let folder: string;
  let archive: string;
  let files: string[];
  let manifest: Manifest;

  before(async () => {
    home = await mkdtemp(join(tmpdir(), 'sluice-test-'));
    unpacked = join(home, 'unpacked');
    folder = join(home, 'empty');
    for (const path of [unpacked, folder]) mkdirSync(path);
    const packed = await runCommand(['npm', 'pack', '--pack-destination', home], { cwd: ROOT });
    assert.equal(packed.code, 0, packed.err);
    // Scripts take the name from the last line.
    archive = join(home, packed.out.trim().split('\n').at(-1) ?? '');
    files = unpack(archive, unpacked);
    manifest = JSON.parse(readFileSync(join(unpacked, 'package.json'), 'utf8')) as Manifest;

    const from = performance.now();
    const installed = await runCommand(['npm', 'install', archive], { cwd: folder });
    assert.equal(installed.code, 0, installed.err);
    const seconds = ((performance.now() - from) / 1000).toFixed(1);
    const mib = (bytes: number) => (bytes / MIB).toFixed(1);
    console.log(
      `package: ${mib(statSync(archive).size)} MiB, ${files.length} files, ${mib(sizeOf(unpacked))} MiB unpacked; ` +
        `installed with its dependencies ${mib(sizeOf(join(folder, 'node_modules')))} MiB, in ${seconds} s`,
    );
  });
  after(() => rm(home, { recursive: true, force: true, maxRetries: 10 }));

  it('has the program, its pages and the unit, and nothing of tests, bench, simulation or scripts', () => {
    assert.deepEqual(notAllowed(files), []);
    assert.ok(statSync(archive).size < MAX_ARCHIVE_BYTES);
    const ours = ['README.md', 'CHANGELOG.md', 'LICENSE', '.env.example', 'docs/configuration.md'];
    const deployed = [
      'deploy/systemd/sluice.service',
      'deploy/prometheus/rules.yml',
      'deploy/grafana/dashboards/sluice.json',
    ];
    for (const file of [...ours, ...deployed, ...compiled()])
      assert.ok(files.includes(file), `${file} is missing`);
  });

  it('imports only what is in it, and packages that it depends on', () => {
    assert.deepEqual(brokenImports(unpacked, files, manifest), []);
  });

  it('may be published, and has exact versions of its dependencies', () => {
    assert.equal(manifest.private, undefined);
    assert.equal(manifest.license, 'MIT');
    assert.deepEqual(manifest.publishConfig, { access: 'public', provenance: true });
    assert.deepEqual(Object.keys(manifest.bin), ['sluice', 'sluice-load']);
    for (const file of Object.values(manifest.bin)) {
      assert.match(readFileSync(join(unpacked, file), 'utf8'), /^#!\/usr\/bin\/env node\n/);
      // In the archive it has the mode of the checkout, which is another one on Windows. The install makes it executable.
      const { mode } = statSync(join(folder, 'node_modules', String(manifest.name), file));
      assert.ok(mode & 0o100, `${file} is not executable`);
    }
    const ranges = { ...manifest.dependencies, ...manifest.optionalDependencies };
    for (const [name, range] of Object.entries(ranges)) assert.match(range, /^\d+\.\d+\.\d+$/, name);
    for (const name of ['preinstall', 'install', 'postinstall', 'prepare'])
      assert.ok(
        !Object.hasOwn(manifest.scripts as object, name),
        `${name} would run on the machine of a user`,
      );
  });

  it('lets nobody import its inside', async () => {
    const code =
      "import('sluice').catch((e) => import('sluice/dist/src/app.js').catch((f) => console.log(e.code, f.code)))";
    const { out } = await runCommand([process.execPath, '-e', code], { cwd: folder });
    assert.equal(out.trim(), 'ERR_PACKAGE_PATH_NOT_EXPORTED ERR_PACKAGE_PATH_NOT_EXPORTED');
  });

  it('has the commands, and names pages that are there', async () => {
    const help = await runCommand(['npx', 'sluice', '--help'], { cwd: folder });
    assert.equal(help.code, 0, help.err);
    const pages = [...help.out.matchAll(/node_modules\/sluice\/[a-z./-]*[a-z]/g)].map(([page]) => page);
    assert.equal(pages.length, 2, help.out);
    for (const page of pages) assert.ok(existsSync(join(folder, page)), page);
    const load = await runCommand(['npx', 'sluice-load', '--help'], { cwd: folder });
    assert.match(load.out, /^Usage: sluice-load/);
    const check = await runCommand([program(), 'check'], {
      cwd: folder,
      env: { KAFKA_BROKERS: '127.0.0.1:1', TCP_PORT: '0', HTTP_PORT: '' },
    });
    // Of the settings and of this machine all is well: only the Kafka is missing.
    assert.match(check.out, /KAFKA_COMPRESSION=snappy works here/);
    assert.match(check.out, /error +KAFKA_BROKERS: 127\.0\.0\.1:1: nothing listens there/);
    assert.match(check.out, /\n1 error/);
    assert.equal(check.code, 1);
    const completion = await runCommand([program(), 'complete', '--', 'spo'], { cwd: folder });
    assert.match(completion.out, /^spool\t/);
  });

  it('serves: with settings from .env, the dashboard, and a spool in the folder', async (t) => {
    const ports = { tcp: await freePort(), http: await freePort() };
    writeFileSync(
      join(folder, '.env'),
      `TCP_HOST=127.0.0.1\nTCP_PORT=${ports.tcp}\nHTTP_PORT=${ports.http}\nKAFKA_BROKERS=\nTCP_PROCESSES=2\nLOG_FORMAT=json\n`,
    );
    const gateway = await serve(folder);
    t.after(() => gateway.kill());
    const device = await Device.connect(ports.tcp, {});
    device.send(`${IDENTIFY}{"type":"metrics","seq":1,"data":{"temperature":21.5}}\n`);
    await waitFor('it is stored', async () => (await device.read()).status === 'stored');
    device.destroy();
    const url = `http://127.0.0.1:${ports.http}`;
    const page = await (await fetch(url, { headers: { accept: 'text/html' } })).text();
    const parts = [...page.matchAll(/(?:href|src)="(\/dashboard\/[^"]+)"/g)].map(([, path]) => path);
    assert.ok(parts.length > 20, page);
    for (const path of parts) assert.equal((await fetch(`${url}${path}`)).status, 200, path);
    await gateway.stop();
    assert.match(gateway.out(), /1 readings accepted.*1 in the spool/);
    const spool = await runCommand([program(), 'spool', 'cat'], { cwd: folder });
    assert.match(spool.out, /temperature\\":21\.5/);
    assert.ok(existsSync(join(folder, 'data/spool')));
  });

  /** The file that npx runs, without the half second of npx. */
  function program(): string {
    return join(folder, 'node_modules/.bin/sluice');
  }

  /** The files that the build makes of the sources of the program. */
  function compiled(): string[] {
    return ['src', 'load'].flatMap((top) =>
      readdirSync(join(ROOT, top), { recursive: true, encoding: 'utf8' })
        .map((name) => `dist/${top}/${name.replaceAll('\\', '/')}`)
        .filter((name) => /\.(?:tsx?|css|svg)$/.test(name) && !name.endsWith('.d.ts'))
        .map((name) => name.replace(/\.tsx?$/, '.js')),
    );
  }
});

function sizeOf(folder: string): number {
  const { stdout } = spawnSync('du', ['-sk', folder], { encoding: 'utf8' });
  return Number(stdout.split('\t')[0]) * 1024;
}

interface Served {
  readonly out: () => string;
  /** Ends npx alone. The gateway has to stop by itself. */
  stop(): Promise<void>;
  kill(): void;
}

/** `npx sluice`, until it serves. */
async function serve(cwd: string): Promise<Served> {
  const child: ChildProcess = spawn('npx', ['sluice'], {
    cwd,
    env: userEnvironment(),
    stdio: ['ignore', 'pipe', 'inherit'],
    detached: true,
  });
  let text = '';
  child.stdout?.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await waitFor('it serves', () => {
    if (child.exitCode !== null) throw new Error(`npx ended: ${text}`);
    return text.includes('"event":"tcp_listening"');
  });
  const pid = Number(/"pid":(\d+)[^\n]*"event":"tcp_listening"/.exec(text)?.[1]);
  const pids = [pid, ...childrenOf(pid)];
  return {
    out: () => text,
    async stop() {
      child.kill('SIGTERM');
      await waitFor('it has stopped', () => text.includes('"event":"stopped"'));
      await waitFor('no process is left', () => !pids.some(lives));
    },
    kill() {
      for (const one of [child.pid ?? 0, ...pids]) if (one > 0 && lives(one)) process.kill(one, 'SIGKILL');
    },
  };
}

function lives(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
