// Looks names up in a process of its own, with a time limit. A name service that does not answer would hold the threads
// of this process for up to a minute, and Node waits for its threads at the end.
import { type ChildProcess, spawn } from 'node:child_process';
import { isIP } from 'node:net';
import { createInterface } from 'node:readline';
import { environment } from '../config/environment.ts';

/** Writes `["name","code"]` for each name that it reads; the code is empty if the name has an address. */
const SCRIPT = `
const { lookup } = require('node:dns');
require('node:readline').createInterface({ input: process.stdin }).on('line', (name) =>
  lookup(name, (error) => process.stdout.write(JSON.stringify([name, error?.code ?? '']) + '\\n')));`;
const THREADS = '16';
const LIMIT_MS = 2_500;
/** The name service has not answered in time. */
const LATE = 'ETIMEOUT';

export class Names {
  #child: ChildProcess | undefined;
  readonly #asked = new Map<string, { readonly answer: Promise<string>; tell(code: string): void }>();

  /** The system's error code, LATE, or an empty text if the name can be used. An address needs no look-up. */
  codeOf(name: string): Promise<string> {
    if (isIP(name) !== 0 || name === 'localhost' || !/^[\x21-\x7e]+$/.test(name)) return Promise.resolve('');
    const asked = this.#asked.get(name);
    if (asked !== undefined) return asked.answer;
    let tell: (code: string) => void = () => undefined;
    const answer = new Promise<string>((resolve) => {
      tell = resolve;
    });
    this.#asked.set(name, { answer, tell });
    const timer = setTimeout(() => tell(LATE), LIMIT_MS);
    void answer.then(() => clearTimeout(timer));
    this.#child ??= this.#start();
    this.#child.stdin?.write(`${name}\n`);
    return answer;
  }

  close(): void {
    this.#child?.kill('SIGKILL');
  }

  #start(): ChildProcess {
    const env = { ...environment(), NODE_OPTIONS: '', UV_THREADPOOL_SIZE: THREADS };
    const child = spawn(process.execPath, ['-e', SCRIPT], { env, stdio: ['pipe', 'pipe', 'ignore'] });
    // Without this process nothing is known about names: the connection tells.
    const giveUp = () => {
      for (const { tell } of this.#asked.values()) tell('');
    };
    child.on('error', giveUp);
    child.on('exit', giveUp);
    child.stdin.on('error', giveUp);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const [name, code] = JSON.parse(line) as [string, string];
      this.#asked.get(name)?.tell(code);
    });
    return child;
  }
}
