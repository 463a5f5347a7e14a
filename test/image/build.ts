// Plays the steps of a Dockerfile in folders, each stage in a root of its own, and gives the root and the settings of the
// last one. RUN is a process in its own mount and pid namespace whose root is the folder.
import { spawnSync } from 'node:child_process';
import {
  chownSync,
  cpSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  realpathSync,
  statSync,
} from 'node:fs';
import { basename, dirname, join, posix } from 'node:path';
import { npmSetting, unpackBase } from './bases.ts';
import {
  type Dockerfile,
  type Instruction,
  pairsOf,
  replaceVariables,
  type Stage,
  wordsOf,
} from './dockerfile.ts';
import { contextFiles } from './ignore.ts';

export interface ImageSettings {
  env: Record<string, string>;
  labels: Record<string, string>;
  workdir: string;
  user: string;
  entrypoint: readonly string[];
  cmd: readonly string[];
  healthcheck: readonly string[];
  volumes: string[];
  ports: string[];
  stopSignal: string;
}

export interface Image {
  readonly root: string;
  readonly settings: ImageSettings;
}

export interface BuildOptions {
  /** The project's folder, whose files COPY takes. */
  readonly context: string;
  /** Where the roots of the stages are put. */
  readonly folder: string;
  readonly args?: Readonly<Record<string, string>>;
  /** The last stage to play; by default the last of the file. */
  readonly target?: string;
  /** Roots of stages that are made already, by the stage's name. Their steps are not played. */
  readonly ready?: Readonly<Record<string, string>>;
}

interface Played extends Image {
  readonly args: Record<string, string>;
  shell: readonly string[];
}

const ARCHITECTURE = process.arch === 'x64' ? 'amd64' : process.arch;
const PREDEFINED = {
  BUILDPLATFORM: `linux/${ARCHITECTURE}`,
  TARGETPLATFORM: `linux/${ARCHITECTURE}`,
  BUILDARCH: ARCHITECTURE,
  TARGETARCH: ARCHITECTURE,
};
const PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** @throws Error if a step fails, with its output */
export function build(dockerfile: Dockerfile, options: BuildOptions): Image {
  const stages = new Map<string, Played>();
  const given = { ...PREDEFINED, ...options.args };
  const ignored = join(options.context, '.dockerignore');
  const files = contextFiles(options.context, existsSync(ignored) ? readFileSync(ignored, 'utf8') : '');
  for (const stage of dockerfile.stages) {
    const made = options.ready?.[stage.name];
    if (made !== undefined) {
      stages.set(stage.name, { root: made, args: {}, shell: [], settings: noSettings() });
      continue;
    }
    const played = begin(stage, { dockerfile, stages, given, folder: options.folder });
    stages.set(stage.name, played);
    for (const instruction of stage.instructions) {
      try {
        play(instruction, played, { stages, given, files, context: options.context });
      } catch (cause) {
        throw new Error(`line ${instruction.line}, ${instruction.name}: ${String(cause)}`, { cause });
      }
    }
    if (stage.name === options.target) return played;
  }
  const last = stages.get(dockerfile.stages.at(-1)?.name ?? '');
  if (!last) throw new Error('a Dockerfile without FROM');
  return last;
}

function begin(
  { from, name }: Stage,
  {
    dockerfile,
    stages,
    given,
    folder,
  }: { dockerfile: Dockerfile; stages: Map<string, Played>; given: Record<string, string>; folder: string },
): Played {
  const globals: Record<string, string> = { ...PREDEFINED };
  for (const instruction of dockerfile.globals)
    for (const [key, value] of pairsOf(instruction)) globals[key] = given[key] ?? value ?? '';
  const [image = ''] = replaceVariables(from.text, globals).split(/\s/);
  if (stages.has(image)) throw new Error(`line ${from.line}: FROM another stage is not known here`);
  const root = join(folder, name);
  unpackBase(image, root);
  return {
    root,
    args: {},
    shell: ['/bin/sh', '-c'],
    settings: noSettings(),
  };
}

function noSettings(): ImageSettings {
  return {
    env: { PATH },
    labels: {},
    workdir: '/',
    user: '',
    entrypoint: [],
    cmd: [],
    healthcheck: [],
    volumes: [],
    ports: [],
    stopSignal: 'SIGTERM',
  };
}

interface Surroundings {
  readonly stages: ReadonlyMap<string, Played>;
  readonly given: Readonly<Record<string, string>>;
  readonly files: readonly string[];
  readonly context: string;
}

function play(instruction: Instruction, stage: Played, around: Surroundings): void {
  const { settings } = stage;
  const replaced = (text: string) => replaceVariables(text, { ...stage.args, ...settings.env });
  const text = replaced(instruction.text);
  switch (instruction.name) {
    case 'ARG':
      for (const [name, value] of pairsOf(instruction)) {
        const known = around.given[name] ?? (value === undefined ? undefined : replaced(value));
        if (known !== undefined) stage.args[name] = known;
      }
      return;
    case 'ENV':
      for (const [name, value = ''] of pairsOf(instruction)) settings.env[name] = replaced(value);
      return;
    case 'LABEL':
      for (const [name, value = ''] of pairsOf(instruction)) settings.labels[name] = replaced(value);
      return;
    case 'WORKDIR':
      settings.workdir = posix.resolve(settings.workdir, text);
      mkdirSync(join(stage.root, settings.workdir), { recursive: true });
      return;
    case 'SHELL':
      stage.shell = wordsOf(text) ?? fail('SHELL wants a list');
      return;
    case 'RUN':
      runStep(stage, wordsOf(instruction.text) ?? [...stage.shell, instruction.text]);
      return;
    case 'COPY':
      copy(instruction, text, stage, around);
      return;
    case 'USER':
      settings.user = text;
      return;
    case 'EXPOSE':
      settings.ports.push(...text.split(/\s+/));
      return;
    case 'VOLUME':
      settings.volumes.push(...(wordsOf(text) ?? text.split(/\s+/)));
      return;
    case 'STOPSIGNAL':
      settings.stopSignal = text;
      return;
    case 'HEALTHCHECK':
      settings.healthcheck =
        wordsOf(/^CMD\s+(.*)$/s.exec(instruction.text)?.[1] ?? '') ?? fail('a list is wanted');
      return;
    case 'ENTRYPOINT':
      settings.entrypoint = wordsOf(instruction.text) ?? fail('a list is wanted: a shell would be PID 1');
      return;
    case 'CMD':
      settings.cmd = wordsOf(instruction.text) ?? fail('a list is wanted: a shell would be PID 1');
      return;
    case 'FROM':
      fail('FROM begins a stage');
  }
}

function fail(why: string): never {
  throw new Error(why);
}

/** The network, the names and the npm cache of this machine are there, as a builder lends them. Nothing else of it is. */
function runStep({ root, settings, args }: Played, words: readonly string[]): void {
  if (settings.user !== '') fail('RUN after USER is not known here');
  const cache = npmSetting('cache');
  const authorities = process.env.NODE_EXTRA_CA_CERTS;
  const script = `
    mount -t proc proc "$1/proc"; mount --rbind /dev "$1/dev"; mount -t tmpfs tmpfs "$1/run"
    mkdir -p "$1/run/npm"; mount --bind "$2" "$1/run/npm"
    touch "$1/etc/resolv.conf"; mount --bind /etc/resolv.conf "$1/etc/resolv.conf"
    if [ -n "$3" ]; then touch "$1/run/authorities.pem"; mount --bind "$3" "$1/run/authorities.pem"; fi
    root=$1; dir=$4; shift 4
    exec env -i "$@"`;
  const environment = {
    ...args,
    ...settings.env,
    HOME: '/root',
    npm_config_cache: '/run/npm',
    npm_config_prefer_offline: 'true',
    npm_config_update_notifier: 'false',
    npm_config_registry: npmSetting('registry'),
    ...(authorities && { NODE_EXTRA_CA_CERTS: '/run/authorities.pem' }),
  };
  const { status, signal, stdout, stderr, error } = spawnSync(
    'unshare',
    [
      ...['--mount', '--pid', '--fork', '--kill-child', '--propagation', 'private'],
      ...['sh', '-ec', script, 'sh', root, cache, authorities ?? '', settings.workdir],
      ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      ...['/usr/bin/unshare', `--root=${root}`, `--wd=${settings.workdir}`, ...words],
    ],
    { encoding: 'utf8', maxBuffer: 2 ** 26, timeout: 300_000 },
  );
  if (status !== 0) fail(`exit code ${status ?? signal} ${error?.message ?? ''}\n${stdout}\n${stderr}`);
}

function copy(
  { options: { from, chown } }: Instruction,
  text: string,
  { root, settings }: Played,
  { stages, files, context }: Surroundings,
): void {
  const paths = text.split(/\s+/);
  const to = paths.pop() ?? '';
  const isFolder = to.endsWith('/') || to === '.' || paths.length > 1;
  const target = join(root, posix.resolve(settings.workdir, to));
  if (from !== undefined) {
    const source = stages.get(from) ?? fail(`there is no stage ${from}`);
    for (const path of paths) copyInto(join(source.root, path), target, isFolder, chown);
    return;
  }
  for (const path of paths) {
    const prefix = posix.normalize(path) === '.' ? '' : posix.normalize(path).replace(/\/$/, '');
    const chosen = files.filter((file) => prefix === '' || file === prefix || file.startsWith(`${prefix}/`));
    // Docker says so too: a path that .dockerignore holds back is not there.
    if (chosen.length === 0) fail(`${path} is not in the build context (see .dockerignore)`);
    for (const file of chosen) {
      const below = file === prefix ? basename(file) : file.slice(prefix === '' ? 0 : prefix.length + 1);
      const place = file === prefix && !isFolder ? target : join(target, below);
      mkdirSync(dirname(place), { recursive: true });
      cpSync(join(context, file), place, { preserveTimestamps: true });
      chownSync(place, 0, 0);
    }
  }
}

/** A folder's entries are put into the target; a file becomes the target, or is put into it. */
function copyInto(source: string, target: string, isFolder: boolean, chown: string | undefined): void {
  const [uid, gid] = (chown ?? '').split(':').map(Number);
  const give = (place: string) => {
    if (chown === undefined) return;
    if (uid === undefined || gid === undefined || Number.isNaN(uid + gid)) fail('--chown wants UID:GID');
    const { status } = spawnSync('chown', ['-hR', chown, place]);
    if (status !== 0) fail(`chown ${place}`);
  };
  const put = (what: string, place: string) => {
    const { status, stderr } = spawnSync('cp', ['-a', '-T', what, place], { encoding: 'utf8' });
    if (status !== 0) fail(stderr);
  };
  if (!existsSync(source)) fail(`${source} does not exist`);
  if (!statSync(source).isDirectory()) {
    const place = isFolder ? join(target, basename(source)) : target;
    mkdirSync(dirname(place), { recursive: true });
    put(realpathSync(source), place);
    give(place);
    return;
  }
  mkdirSync(target, { recursive: true });
  for (const name of readdirSync(source)) {
    put(join(source, name), join(target, name));
    give(join(target, name));
  }
}

/** Bytes of all files under a folder, each once. */
export function bytesUnder(folder: string): number {
  const info = lstatSync(folder);
  if (!info.isDirectory()) return info.size;
  return readdirSync(folder).reduce((sum, name) => sum + bytesUnder(join(folder, name)), 0);
}
