// HAProxy as a TLS terminator before a plain server, with one thread. Its port, and its process for figures.
import { type ChildProcess, spawn } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, untilListening } from '../../scripts/kafka/ports.ts';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import type { Certificate } from '../../scripts/lib/certificate.ts';

export interface HaproxyOptions {
  /** HAProxy's files go beside it. */
  readonly certificate: Certificate;
  /** Of the plain server on this machine. */
  readonly target: number;
}

const START_TIMEOUT_MS = 10_000;

export class Haproxy {
  readonly port: number;
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #exited: Promise<unknown>;

  /** Resolves once it listens; undefined if it is not installed. Rejects with its own words. */
  static async start({ certificate, target }: HaproxyOptions): Promise<Haproxy | undefined> {
    const port = await freePort();
    const { directory } = certificate;
    const files = { pem: join(directory, 'haproxy.pem'), config: join(directory, 'haproxy.cfg') };
    await writeFile(files.pem, certificate.cert + certificate.key, { mode: 0o600 });
    await writeFile(files.config, configuration(port, target, files.pem));
    const child = spawn('haproxy', ['-db', '-f', files.config], { stdio: ['ignore', 'ignore', 'pipe'] });
    let said = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    child.on('error', () => {});
    if (child.pid === undefined) return undefined;
    const haproxy = new Haproxy(child, child.pid, port);
    const hasEnded = () => child.exitCode !== null;
    if (await untilListening(port, { timeoutMs: START_TIMEOUT_MS, hasEnded })) return haproxy;
    await haproxy.stop();
    throw new Error(`HAProxy does not listen: ${said}`);
  }

  private constructor(child: ChildProcess, pid: number, port: number) {
    this.port = port;
    this.pid = pid;
    this.#child = child;
    const callOff = onParentDeath(['kill', '-9', String(pid)]);
    this.#exited = new Promise((resolve) => {
      child.once('exit', () => {
        callOff();
        resolve(undefined);
      });
    });
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#exited;
  }
}

function configuration(port: number, target: number, pem: string): string {
  return `global
  nbthread 1
  maxconn 9000
defaults
  mode tcp
  timeout connect 10s
  timeout client 1h
  timeout server 1h
listen tls
  bind 127.0.0.1:${port} backlog 4096 ssl crt ${pem} ssl-min-ver TLSv1.2
  server plain 127.0.0.1:${target}
`;
}
