// Finds the programs of the senders: in the folder that install.sh fills, else in the path. It installs nothing.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const INSTALL = fileURLToPath(new URL('../../../scripts/senders/install.sh', import.meta.url));
/** Debian installs daemons in a directory that is only in the path of root. */
const PATH = `${process.env.PATH ?? ''}:/usr/sbin`;
/** Programs without a locale read and write ASCII. */
const LOCALE = { LC_ALL: 'C.UTF-8' };
const VERSION_TIMEOUT_MS = 10_000;

export interface Program {
  readonly command: string;
  readonly args: readonly string[];
  readonly env: NodeJS.ProcessEnv;
}

export class Tools {
  /** The folder of install.sh, which may be missing. */
  readonly #folder = spawnSync('bash', [INSTALL, '--where'], { encoding: 'utf8' }).stdout.trim();

  get rsyslog(): Program | undefined {
    const own = this.#unpacked('usr/sbin/rsyslogd');
    if (own === undefined) return inPath('rsyslogd');
    return { ...own, args: ['-M', join(this.#libraries, 'rsyslog')] };
  }

  get syslogNg(): Program | undefined {
    const own = this.#unpacked('usr/sbin/syslog-ng');
    if (own === undefined) return inPath('syslog-ng');
    const home = join(this.#folder, 'root/usr/lib/syslog-ng');
    const version = readdirSync(home).find((name) => /^\d/.test(name)) ?? '';
    const LD_LIBRARY_PATH = `${own.env.LD_LIBRARY_PATH}:${home}`;
    return { ...own, args: ['--module-path', join(home, version)], env: { ...own.env, LD_LIBRARY_PATH } };
  }

  /** Debian's own, because a Python that was built elsewhere may lack TLS. */
  get python(): Program | undefined {
    return existsSync('/usr/bin/python3') ? inPath('/usr/bin/python3') : inPath('python3');
  }

  /** A program of the path. */
  named(name: string): Program | undefined {
    return inPath(name);
  }

  /** Java with the jars of log4j and logback. */
  get java(): Program | undefined {
    const jars = join(this.#folder, 'jars');
    const java = inPath('java');
    // A server's compiler would take longer than all messages.
    const flags = ['-XX:TieredStopAtLevel=1', '-XX:+UseSerialGC', '-Xshare:auto'];
    return java && existsSync(jars) ? { ...java, args: [...flags, '-cp', join(jars, '*')] } : undefined;
  }

  /** The version in the name of a jar. */
  jarVersion(name: string): string {
    const jars = readdirSync(join(this.#folder, 'jars'));
    return jars.flatMap((jar) => new RegExp(`^${name}-([\\d.]+)\\.jar$`).exec(jar)?.[1] ?? [])[0] ?? '?';
  }

  get #libraries(): string {
    const lib = join(this.#folder, 'root/usr/lib');
    return join(lib, readdirSync(lib).find((name) => name.endsWith('-linux-gnu')) ?? '');
  }

  #unpacked(path: string): Program | undefined {
    const command = join(this.#folder, 'root', path);
    if (!existsSync(command)) return undefined;
    const libraries = [this.#libraries, this.#libraries.replace('/usr/lib/', '/lib/')];
    return { command, args: [], env: { PATH, ...LOCALE, LD_LIBRARY_PATH: libraries.join(':') } };
  }
}

function inPath(command: string): Program | undefined {
  const env = { PATH, ...LOCALE };
  const found = spawnSync('sh', ['-c', 'command -v "$1"', 'sh', command], { env }).status === 0;
  return found ? { command, args: [], env } : undefined;
}

/** The first group of `pattern` in the program's output. */
export function versionOf({ command, env }: Program, args: readonly string[], pattern: RegExp): string {
  const { stdout, stderr } = spawnSync(command, args, { env, encoding: 'utf8', timeout: VERSION_TIMEOUT_MS });
  return pattern.exec(`${stdout}${stderr}`)?.[1] ?? '?';
}
