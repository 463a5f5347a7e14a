// Starts the built gateway as a child process on loopback, and passes on the lines of its log. The child is killed
// if this process dies. Waits for nothing: when the gateway is ready, the caller decides.
import { type ChildProcess, spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onParentDeath } from '../kafka/process.ts';
import { recordingEnv } from '../tests/traffic.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));

export interface GatewayChildOptions {
  /** The working directory. Without a .env in it, the environment alone decides. */
  readonly directory: string;
  /** Over the defaults: free ports on loopback, one process, JSON log. */
  readonly env: Readonly<Record<string, string>>;
  /** Another compiled program. Absent: the gateway. */
  readonly main?: string | undefined;
  /** Path of another Node. Absent: the one that runs this. */
  readonly node?: string | undefined;
  readonly nodeFlags?: readonly string[];
  /** Kills the gateway. */
  readonly signal?: AbortSignal;
  /** Remove the directory if this process dies. */
  readonly removeOnDeath?: boolean;
}

export interface GatewayChild {
  readonly child: ChildProcess;
  /** Its exit code, or the signal that ended it; -1 if it could not be started. */
  readonly exited: Promise<number | NodeJS.Signals>;
}

export function spawnGateway(options: GatewayChildOptions, onLine: (line: string) => void): GatewayChild {
  const { directory, env, main = MAIN, node = process.execPath, nodeFlags = [], signal } = options;
  const child = spawn(node, [...nodeFlags, main], {
    cwd: directory,
    env: {
      PATH: process.env.PATH ?? '',
      TCP_HOST: '127.0.0.1',
      TCP_PORT: '0',
      HTTP_PORT: '0',
      TCP_PROCESSES: '1',
      LOG_FORMAT: 'json',
      ...recordingEnv(),
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
    // A process group of its own: Ctrl-C is for the caller, who stops the gateway.
    detached: true,
    ...(signal !== undefined && { signal }),
    killSignal: 'SIGKILL',
  });
  child.on('error', () => {});
  for (const stream of [child.stdout, child.stderr]) {
    let rest = '';
    stream.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    });
  }
  const { pid } = child;
  if (pid === undefined) return { child, exited: Promise.resolve(-1) };
  // Between the two a moment, or a write that is under way would create a file again.
  const script = options.removeOnDeath ? 'kill -9 "$1"; sleep 1; rm -rf "$2"' : 'kill -9 "$1"';
  const callOff = onParentDeath(['sh', '-c', script, 'sh', String(pid), directory]);
  const exited = new Promise<number | NodeJS.Signals>((resolve) => {
    child.once('exit', (code, signal) => {
      callOff();
      resolve(code ?? signal ?? -1);
    });
  });
  return { child, exited };
}
