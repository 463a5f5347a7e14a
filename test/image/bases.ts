// The images that a Dockerfile begins FROM, made without a registry of images: `node:VERSION-SUITE-slim` from packages of
// that Debian release, the npm package `node` and the npm of this machine. Downloads are kept under .cache/image.
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const CACHE = fileURLToPath(new URL('../../../.cache/image', import.meta.url));
const KEYRING = '/usr/share/keyrings/debian-archive-keyring.gpg';
/** The part of a slim Debian that a build may count on: a shell, coreutils, dpkg, the C and C++ libraries. */
const PACKAGES = [
  'base-files',
  'base-passwd',
  'bash',
  'coreutils',
  'dash',
  'dpkg',
  'findutils',
  'grep',
  'gzip',
  'libc-bin',
  'libstdc++6',
  'sed',
  'tar',
];
const IMAGE = /^node:(\d+\.\d+\.\d+)-([a-z]+)-slim$/;

export interface Missing {
  /** Such as `the program ip`. */
  readonly what: string;
  /** Whether a package of Debian has it. */
  readonly isPackage: boolean;
}

/** The first thing that the test needs and this machine lacks, or undefined if it has everything. */
export function whatIsMissing(): Missing | undefined {
  if (process.platform !== 'linux' || process.getuid?.() !== 0)
    return { what: 'root on Linux', isPackage: false };
  if (spawnSync('apt-get', ['--version']).error) return { what: 'Debian or Ubuntu', isPackage: false };
  for (const program of ['dpkg-deb', 'unshare', 'nsenter', 'setpriv', 'ip', 'npm'])
    if (spawnSync(program, ['--version']).error) return { what: `the program ${program}`, isPackage: true };
  if (!existsSync(KEYRING)) return { what: 'the package debian-archive-keyring', isPackage: true };
  const { status } = spawnSync('unshare', ['--mount', '--pid', '--net', '--fork', 'true']);
  return status === 0 ? undefined : { what: 'the right to make namespaces', isPackage: false };
}

/** Debian's packages or Node's program could not be downloaded. */
export class DownloadError extends Error {}

/** Downloads what an image consists of, unless it is there. @throws DownloadError */
export function fetchBase(image: string): { root: string; node: string } {
  const [, version, suite] = IMAGE.exec(image) ?? [];
  if (!version || !suite) throw new Error(`FROM ${image}: only node:X.Y.Z-SUITE-slim and scratch are known`);
  return { root: debianRoot(debianPackages(suite)), node: nodeProgram(version) };
}

/** Puts the root of an image into `target`, which is made. @param image such as `node:24.21.0-trixie-slim` */
export function unpackBase(image: string, target: string): void {
  if (image === 'scratch') {
    mkdirSync(target);
    return;
  }
  const { root, node } = fetchBase(image);
  run('cp', ['-a', root, target]);
  run('cp', ['-a', node, join(target, 'usr/local/bin/node')]);
  const npm = join(npmRoot(), 'npm');
  mkdirSync(join(target, 'usr/local/lib/node_modules'), { recursive: true });
  cpSync(npm, join(target, 'usr/local/lib/node_modules/npm'), { recursive: true, dereference: true });
  symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(target, 'usr/local/bin/npm'));
}

/** Downloads the packages that are missing. Returns the files of the packages. */
function debianPackages(suite: string): string[] {
  const folder = join(CACHE, suite);
  const done = join(folder, 'complete');
  const archives = join(folder, 'cache/archives');
  if (!existsSync(done)) {
    for (const path of ['lists/partial', 'cache/archives/partial'])
      mkdirSync(join(folder, path), { recursive: true });
    writeFileSync(join(folder, 'status'), '');
    const security =
      suite === 'sid'
        ? ''
        : `deb [signed-by=${KEYRING}] http://deb.debian.org/debian-security ${suite}-security main\n`;
    writeFileSync(
      join(folder, 'sources.list'),
      `deb [signed-by=${KEYRING}] http://deb.debian.org/debian ${suite} main\n${security}`,
    );
    const options = {
      'Dir::Etc::sourcelist': join(folder, 'sources.list'),
      'Dir::Etc::sourceparts': '/dev/null',
      'Dir::State::lists': join(folder, 'lists'),
      'Dir::State::status': join(folder, 'status'),
      'Dir::Cache': join(folder, 'cache'),
      'Debug::NoLocking': 'true',
      'APT::Sandbox::User': 'root',
      'APT::Update::Post-Invoke-Success::': 'true',
      'Acquire::Languages': 'none',
      'Acquire::http::Timeout': '20',
      'Acquire::IndexTargets::deb::DEP-11::DefaultEnabled': 'false',
    };
    const apt = Object.entries(options).flatMap(([name, value]) => ['-o', `${name}=${value}`]);
    download('apt-get', [...apt, 'update', '-q']);
    download('apt-get', [
      ...apt,
      'install',
      '-q',
      '-y',
      '--no-install-recommends',
      '--download-only',
      ...PACKAGES,
    ]);
    writeFileSync(done, '');
  }
  return readdirSync(archives)
    .filter((name) => name.endsWith('.deb'))
    .map((name) => join(archives, name))
    .sort();
}

/** An unpacked root with dpkg's list of installed packages. No script of a package runs. */
function debianRoot(packages: readonly string[]): string {
  const root = join(
    CACHE,
    `root-${createHash('sha256').update(packages.join('\n')).digest('hex').slice(0, 16)}`,
  );
  if (existsSync(root)) return root;
  const made = `${root}.${process.pid}`;
  rmSync(made, { recursive: true, force: true });
  mkdirSync(made, { recursive: true });
  const info = join(made, 'var/lib/dpkg/info');
  let status = '';
  for (const file of packages) {
    run('dpkg-deb', ['-x', file, made]);
    const fields = run('dpkg-deb', ['-f', file]);
    const field = (name: string) => new RegExp(`^${name}: (.*)$`, 'm').exec(fields)?.[1] ?? '';
    status += `${fields.trimEnd()}\nStatus: install ok installed\n\n`;
    const paths = run('sh', ['-c', 'dpkg-deb --fsys-tarfile "$1" | tar -t', 'sh', file])
      .split('\n')
      .map((path) => path.replace(/^\./, '').replace(/(.)\/$/, '$1'));
    mkdirSync(info, { recursive: true });
    const suffix = field('Multi-Arch') === 'same' ? `:${field('Architecture')}` : '';
    writeFileSync(join(info, `${field('Package')}${suffix}.list`), paths.join('\n').replace(/^\/\n/, '/.\n'));
  }
  writeFileSync(join(info, 'format'), '1\n');
  writeFileSync(join(made, 'var/lib/dpkg/status'), status);
  // The scripts of the packages would make these.
  if (!existsSync(join(made, 'usr/bin/sh'))) symlinkSync('dash', join(made, 'usr/bin/sh'));
  for (const path of ['usr/local/bin', 'usr/local/lib']) mkdirSync(join(made, path), { recursive: true });
  writeFileSync(join(made, 'etc/passwd'), 'root:x:0:0:root:/root:/bin/bash\n');
  writeFileSync(join(made, 'etc/group'), 'root:x:0:\n');
  renameSync(made, root);
  return root;
}

/** The program of the npm package `node`, which is that of the Node project. */
function nodeProgram(version: string): string {
  const args = [
    'exec',
    '--yes',
    '--prefix',
    CACHE,
    `--package=node@${version}`,
    '--',
    'node',
    '-p',
    'process.execPath',
  ];
  return download('npm', args).trim();
}

/** An apt-get without a network would try for many minutes. @throws DownloadError */
function download(command: string, args: readonly string[]): string {
  try {
    return run(command, args, { timeout: 120_000 });
  } catch (cause) {
    throw new DownloadError(String(cause), { cause });
  }
}

const npmRoot = (): string => run('npm', ['root', '--global']).trim();
export const npmSetting = (name: string): string =>
  run('npm', ['config', 'get', name], { cwd: dirname(CACHE) })
    .trim()
    .replace(/^(?:null|undefined)$/, '');

export function run(
  command: string,
  args: readonly string[],
  options: { readonly cwd?: string; readonly timeout?: number } = {},
): string {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    ...options,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' },
  });
  if (status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed: ${error?.message ?? ''}\n${stdout}\n${stderr}`);
  return stdout;
}
