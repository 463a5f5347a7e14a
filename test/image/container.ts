// Runs an image as a container engine does: namespaces of its own for mounts and processes, the root read-only, the user, the
// environment and the entry point of the image, no privileges, PID 1. Its network is that of a pod (node.ts).
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { childrenOf, descendantsOf, statusOf } from '../../scripts/lib/proc.ts';
import { outputOf, type ProgramOutput } from '../support/program.ts';
import { run } from './bases.ts';
import type { Image } from './build.ts';
import type { Pod } from './node.ts';

export interface ContainerOptions {
  readonly image: Image;
  readonly pod: Pod;
  /** A folder of this machine at the place of the image's volume, if it has one. */
  readonly volume?: string;
  /** Replaces CMD. */
  readonly command?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A folder of this machine that is mounted read-only at /etc/sluice. */
  readonly secrets?: string;
  /** The content of /etc/resolv.conf, which is empty without it. */
  readonly resolver?: string;
  /** A program of this machine that runs the container under it, such as strace. */
  readonly under?: readonly string[];
}

// Makes the mounts of a container engine, and becomes the program of the image: it is then PID 1.
const SETUP = `
  root=$1 volume=$2 place=$3 secrets=$4 resolver=$5; shift 5
  mount --bind "$root" "$root"
  mkdir -p "$root/proc" "$root/dev" "$root/etc"
  mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
  mount -t tmpfs -o nosuid,mode=755 tmpfs "$root/dev"
  for device in null zero full random urandom; do touch "$root/dev/$device"; mount --bind "/dev/$device" "$root/dev/$device"; done
  echo '127.0.0.1 localhost' > "$root/etc/hosts"
  echo "$resolver" > "$root/etc/resolv.conf"
  if [ -n "$place" ]; then mount --bind "$volume" "$root$place"; fi
  if [ -n "$secrets" ]; then
    mkdir -p "$root/etc/sluice"; mount --bind "$secrets" "$root/etc/sluice"; mount -o remount,bind,ro "$root/etc/sluice"
  fi
  mount -o remount,bind,ro "$root"
  exec env -i "$@"`;

export class Container {
  readonly #child: ChildProcess;
  readonly #options: ContainerOptions;
  readonly #ended: Promise<number | null>;
  out = '';
  err = '';

  constructor(t: TestContext, options: ContainerOptions) {
    this.#options = options;
    const { image, pod, volume = '', command, env, secrets = '', resolver = '', under = [] } = options;
    const { settings, root } = image;
    const [place = ''] = settings.volumes;
    if (settings.user === '') throw new Error('the image has no USER');
    this.#child = spawn(
      'nsenter',
      [
        ...pod.net,
        ...under,
        ...['unshare', '--mount', '--pid', '--ipc', '--uts', '--fork', '--propagation', 'private'],
        ...['sh', '-ec', SETUP, 'sh', root, volume, place, secrets, resolver],
        ...this.#environment(env),
        ...['/usr/bin/setpriv', '--no-new-privs'],
        ...['/usr/bin/unshare', `--root=${root}`, `--wd=${settings.workdir}`],
        ...asUser(settings.user),
        ...[...settings.entrypoint, ...(command ?? settings.cmd)],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.out += text;
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.err += text;
    });
    // The kernel ends a whole pid namespace with its PID 1. `--kill-child` cannot: a change of the user clears that signal.
    const cancel = onParentDeath(['pkill', '-KILL', '-P', String(this.#child.pid)]);
    this.#ended = once(this.#child, 'close').then(([code]) => {
      cancel();
      return code as number | null;
    });
    t.after(async () => {
      const pid = this.#findPid() ?? this.#child.pid;
      if (this.isRunning && pid !== undefined) process.kill(pid, 'SIGKILL');
      await this.#ended;
    });
  }

  get isRunning(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null;
  }

  #environment(env: Readonly<Record<string, string>> = {}): string[] {
    return Object.entries({ ...this.#options.image.settings.env, ...env }).map(
      ([name, value]) => `${name}=${value}`,
    );
  }

  /** As this machine numbers it; in its namespace it is 1. */
  get #pid(): number {
    const pid = this.#findPid();
    if (pid === undefined) throw new Error(`the container does not run\n${this.out}${this.err}`);
    return pid;
  }

  #findPid(): number | undefined {
    const all = descendantsOf(this.#child.pid ?? 0);
    return all.find((pid) => statusOf(pid, 'NSpid').split(/\s+/).slice(1).at(-1) === '1');
  }

  /** Like `docker exec`: with the user and the environment of the container. */
  async exec(command: readonly string[]): Promise<ProgramOutput> {
    const { settings } = this.#options.image;
    const pid = this.#pid;
    const child = spawn(
      '/usr/bin/env',
      [
        '-i',
        ...this.#environment(this.#options.env),
        ...['/usr/bin/nsenter', `--target=${pid}`, '--mount', '--pid', '--net', '--ipc', '--uts', '--root'],
        ...[`--wd=/proc/${pid}/root${settings.workdir}`, ...asUser(settings.user), ...command],
      ],
      { stdio: ['ignore', 'pipe', 'pipe'], timeout: 60_000 },
    );
    return outputOf(child);
  }

  /** Like `docker stop`. */
  async stop(): Promise<ProgramOutput> {
    process.kill(this.#pid, 'SIGTERM');
    return this.end();
  }

  async end(): Promise<ProgramOutput> {
    return { code: await this.#ended, out: this.out, err: this.err };
  }

  /** The state of each process in the container, such as `S` or, for a zombie, `Z`, with its user and its number inside. */
  processes(): { name: string; state: string; uid: string; pid: number; capabilities: string }[] {
    return [this.#pid, ...descendantsOf(this.#pid)].map((pid) => ({
      name: statusOf(pid, 'Name'),
      state: statusOf(pid, 'State').charAt(0),
      uid: statusOf(pid, 'Uid').split(/\s+/).join(' '),
      pid: Number(statusOf(pid, 'NSpid').split(/\s+/).at(-1)),
      capabilities: statusOf(pid, 'CapEff'),
    }));
  }

  kill(name: string, signal: NodeJS.Signals): void {
    const pid = childrenOf(this.#pid).find((one) =>
      readFileSync(`/proc/${one}/cmdline`, 'utf8').includes(name),
    );
    if (pid === undefined) throw new Error(`no child of PID 1 runs ${name}`);
    process.kill(pid, signal);
  }
}

const asUser = (user: string) => {
  const [uid, gid] = user.split(':');
  return [`--setuid=${uid}`, `--setgid=${gid ?? uid}`];
};

/** A new volume as Docker makes it: with the content and the owner of the image's folder. */
export function newVolume({ root, settings }: Image, folder: string): string {
  const [place = ''] = settings.volumes;
  mkdirSync(join(folder, '..'), { recursive: true });
  run('cp', ['-a', join(root, place), folder]);
  return folder;
}
