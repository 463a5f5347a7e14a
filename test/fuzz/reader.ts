// Asks the independent reader (reader.py) what a connection's bytes mean. It judges nothing itself.
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { onLines } from './lines-of.ts';

// From dist/test/fuzz.
const READER = fileURLToPath(new URL('../../../test/fuzz/reader.py', import.meta.url));
export const PYTHON = process.env.SLUICE_TEST_PYTHON ?? 'python3';

export interface LineVerdict {
  readonly verdict: 'identify' | 'metrics' | 'keepalive' | 'time' | 'refused';
  readonly seq: number | null;
  /** For metrics: the text of each record's `data`. */
  readonly readings: readonly string[];
  readonly zipcode: string | null;
  readonly city: string | null;
  readonly device_id: string | null;
  /** The text of the tags, as records have it. */
  readonly tags: string | null;
  /** The code of the error, if the reader can tell. */
  readonly code?: string | null;
  readonly why: string;
  /** The gateway closes the connection after this line. */
  readonly closes?: boolean;
}

export const hasPython = (): boolean => spawnSync(PYTHON, ['--version']).status === 0;

export class Reader {
  readonly #child: ChildProcessWithoutNullStreams;
  /** The questions that have no answer yet, in order. */
  readonly #open: Question[] = [];
  #ended: string | undefined;

  constructor() {
    this.#child = spawn(PYTHON, [READER]);
    let complaint = '';
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      complaint = (complaint + text).slice(-2000);
    });
    this.#child.stdin.on('error', () => {});
    const end = (why: string) => {
      this.#ended = `the reader ended: ${why}\n${complaint}`;
      for (const { reject } of this.#open.splice(0)) reject(new Error(this.#ended));
    };
    this.#child.once('error', (error) => end(error.message));
    this.#child.once('close', (code, signal) => end(String(code ?? signal)));
    onLines(this.#child.stdout, (line) => {
      const { lines } = JSON.parse(line) as { lines: LineVerdict[] };
      this.#open.shift()?.resolve(lines);
    });
  }

  /** The verdict on each line, up to the one that closes the connection. */
  judge(connection: number, bytes: Buffer): Promise<LineVerdict[]> {
    if (this.#ended !== undefined) return Promise.reject(new Error(this.#ended));
    this.#child.stdin.write(`${JSON.stringify({ connection, bytes: bytes.toString('base64') })}\n`);
    return new Promise((resolve, reject) => this.#open.push({ resolve, reject }));
  }

  close(): void {
    this.#child.kill('SIGKILL');
  }
}

interface Question {
  resolve(lines: LineVerdict[]): void;
  reject(error: Error): void;
}
