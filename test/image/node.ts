// A machine on which containers run, and its network: each container has a network namespace, and the machine too, so that
// tests ask the ports from outside, as a kubelet does.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request } from 'node:http';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { onParentDeath } from '../../scripts/kafka/process.ts';
import { waitFor } from '../support/wait.ts';
import { run } from './bases.ts';

const RELAY = fileURLToPath(new URL('relay.js', import.meta.url));
const NAMESERVER = fileURLToPath(new URL('nameserver.js', import.meta.url));

/** The machine on which containers run. It reaches each of them, and nothing else. */
export class Node {
  readonly #holder: ChildProcess;
  readonly #socket: string;
  #count = 0;

  static async start(t: TestContext, folder: string): Promise<Node> {
    const holder = hold();
    await inNamespace(holder);
    const socket = join(folder, 'relay.sock');
    const relay = spawn('nsenter', [...netOf(holder), process.execPath, RELAY, socket], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const node = new Node(holder, socket);
    t.after(() => {
      relay.kill('SIGKILL');
      holder.kill('SIGKILL');
    });
    if (relay.stdout) await once(relay.stdout, 'data');
    return node;
  }

  private constructor(holder: ChildProcess, socket: string) {
    this.#holder = holder;
    this.#socket = socket;
  }

  /** A network namespace with an address that the node reaches, as a pod has. */
  async pod(t: TestContext): Promise<Pod> {
    const holder = hold();
    t.after(() => holder.kill('SIGKILL'));
    await inNamespace(holder);
    const number = ++this.#count;
    const ip = (of: ChildProcess, ...args: string[]) => run('nsenter', [...netOf(of), 'ip', ...args]);
    const far = ['peer', 'name', 'eth0', 'netns', String(holder.pid)];
    ip(this.#holder, 'link', 'add', `pod${number}`, 'type', 'veth', ...far);
    ip(this.#holder, 'address', 'add', `10.90.${number}.1/24`, 'dev', `pod${number}`);
    ip(this.#holder, 'link', 'set', `pod${number}`, 'up');
    ip(holder, 'address', 'add', `10.90.${number}.2/24`, 'dev', 'eth0');
    ip(holder, 'link', 'set', 'eth0', 'up');
    ip(holder, 'link', 'set', 'lo', 'up');
    return { address: `10.90.${number}.2`, net: netOf(holder) };
  }

  connect(address: string, port: number): Socket {
    const socket = connect(this.#socket);
    socket.write(`${address} ${port}\n`);
    return socket;
  }

  /** The status and the text of a page, or undefined without an answer. */
  async ask(
    address: string,
    path: string,
    headers: Record<string, string> = {},
    method = 'GET',
  ): Promise<{ status: number; text: string } | undefined> {
    const asked = request({
      createConnection: () => this.connect(address, 9108),
      path,
      method,
      headers: { host: `${address}:9108`, connection: 'close', ...headers },
    });
    asked.end();
    try {
      const [answer] = (await once(asked, 'response')) as [AsyncIterable<Buffer> & { statusCode: number }];
      let text = '';
      for await (const chunk of answer) text += String(chunk);
      return { status: answer.statusCode, text };
    } catch {
      return undefined;
    }
  }

  /** The replies to a device: writes the lines, and reads until `count` lines have come. */
  async device(address: string, lines: readonly object[], count: number): Promise<Record<string, unknown>[]> {
    const socket = this.connect(address, 8080);
    try {
      socket.write(lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
      let text = '';
      for await (const chunk of socket) {
        text += String(chunk);
        if (text.split('\n').length > count) break;
      }
      return text
        .split('\n')
        .filter((line) => line !== '')
        .map((line) => JSON.parse(line) as Record<string, unknown>);
    } finally {
      socket.destroy();
    }
  }
}

export interface Pod {
  readonly address: string;
  /** Arguments of nsenter. */
  readonly net: readonly string[];
}

/** A DNS server at 127.0.0.1 of the pod that knows one name. */
export async function serveName(t: TestContext, { net }: Pod, name: string): Promise<void> {
  const server = spawn('nsenter', [...net, process.execPath, NAMESERVER, name], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  t.after(() => server.kill('SIGKILL'));
  await once(server.stdout, 'data');
}

const hold = () => {
  const child = spawn('unshare', ['--net', 'sleep', 'infinity'], { stdio: 'ignore' });
  const cancel = onParentDeath(['kill', '-9', String(child.pid)]);
  child.once('exit', cancel);
  return child;
};
const netOf = ({ pid }: ChildProcess) => [`--net=/proc/${pid}/ns/net`];
/** `unshare` has become `sleep` when its namespace is there. */
const inNamespace = ({ pid }: ChildProcess) =>
  waitFor('a network namespace', () => readFileSync(`/proc/${pid}/comm`, 'utf8').trim() === 'sleep');
