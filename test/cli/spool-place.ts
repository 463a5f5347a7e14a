// Helpers of the tests of `sluice spool`: a spool directory, gateways that fill it, and the commands, as real processes.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { layoutName } from '../../src/spool/names.ts';
import { upTo } from '../spool/support.ts';

const MAIN = fileURLToPath(new URL('../../src/main.js', import.meta.url));
export const NOBODY = '127.0.0.1:1';
export const TOPIC = 'weather.metrics.raw';

export interface Run {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export type Env = Readonly<Record<string, string>>;

export function start(args: readonly string[], env: Env): ChildProcess {
  return spawn(process.execPath, [MAIN, ...args], {
    cwd: tmpdir(),
    env: { PATH: process.env.PATH ?? '', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: 60_000,
  });
}

export async function collect(child: ChildProcess): Promise<Run> {
  let [out, err] = ['', ''];
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  const code = await new Promise<number | null>((resolve) => child.once('close', resolve));
  return { code, out, err };
}

export class Place {
  readonly directory: string;
  readonly env: Env;

  constructor(t: TestContext, env: Env = {}) {
    const parent = mkdtempSync(join(tmpdir(), 'sluice-spool-'));
    t.after(() => rmSync(parent, { recursive: true, force: true }));
    this.directory = join(parent, 'spool');
    this.env = { SPOOL_DIR: this.directory, ...env };
  }

  spool(...args: readonly string[]): Promise<Run> {
    return collect(start(['spool', ...args], this.env));
  }

  /** Runs a command that must succeed. */
  async succeeds(...args: readonly string[]): Promise<Run> {
    const run = await this.spool(...args);
    assert.equal(run.code, 0, run.err);
    return run;
  }

  /** The records that `spool cat` prints. */
  async cat(...args: readonly string[]): Promise<Printed[]> {
    return printed((await this.succeeds('cat', ...args)).out);
  }

  async ls(): Promise<Listing> {
    return JSON.parse((await this.succeeds('ls', '--json')).out) as Listing;
  }

  gateway(t: TestContext): Promise<Gateway> {
    return Gateway.start(t, this.env);
  }

  /** Runs a gateway without Kafka and stops it once `count` readings of each zipcode are confirmed. */
  async fill(t: TestContext, zipcodes: readonly string[], count: number): Promise<void> {
    const gateway = await this.gateway(t);
    for (const zipcode of zipcodes) await gateway.send(zipcode, count);
    await gateway.stop();
  }

  /** Stores the number of partitions, so that readings go to partitions from the beginning. */
  knowPartitions(): void {
    mkdirSync(this.directory, { recursive: true });
    writeFileSync(join(this.directory, layoutName(TOPIC)), '{"partitions":10}\n');
  }

  /** The only segment. */
  get segment(): string {
    const found = readdirSync(this.directory, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.log'),
    );
    assert.equal(found.length, 1, found.join());
    return join(this.directory, found[0] as string);
  }
}

export class Gateway {
  readonly #child: ChildProcess;
  readonly #port: number;

  private constructor(child: ChildProcess, port: number) {
    this.#child = child;
    this.#port = port;
  }

  static async start(t: TestContext, env: Env): Promise<Gateway> {
    const child = start([], {
      TCP_HOST: '127.0.0.1',
      TCP_PORT: '0',
      HTTP_PORT: '',
      KAFKA_BROKERS: NOBODY,
      TCP_PROCESSES: '1',
      KAFKA_COMPRESSION: 'none',
      KAFKA_BATCH_SIZE: '10',
      ...env,
    });
    t.after(() => child.kill('SIGKILL'));
    let out = '';
    const port = await new Promise<number>((resolve, reject) => {
      child.stdout?.setEncoding('utf8').on('data', (text: string) => {
        out += text;
        const match = /TCP server listening on 127\.0\.0\.1:(\d+)/.exec(out);
        if (match !== null) resolve(Number(match[1]));
      });
      child.once('close', () => reject(new Error(`the gateway ended: ${out}`)));
    });
    return new Gateway(child, port);
  }

  /** Sends numbered readings. Resolves once all are confirmed. */
  send(zipcode: string, count: number): Promise<void> {
    const data = (seq: number) => `{"n":${seq},"note":"\\u001b[31m\u009b"}`;
    const readings = upTo(count).map((seq) => `{"type":"metrics","seq":${seq},"data":${data(seq)}}`);
    return this.#talk(zipcode, readings, (got) => got.includes(`"stored","seq":${count - 1}}`));
  }

  /** Sends lines that are refused. Resolves once each is answered. */
  sendRefused(lines: readonly string[]): Promise<void> {
    return this.#talk('90210', lines, (got) => got.split('"status":"error"').length > lines.length);
  }

  #talk(zipcode: string, lines: readonly string[], isAnswered: (got: string) => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const socket = connect(this.#port, '127.0.0.1');
      let got = '';
      socket.setEncoding('utf8').on('data', (text: string) => {
        got += text;
        if (isAnswered(got)) socket.end();
      });
      socket.on('error', reject);
      socket.on('close', () => resolve());
      socket.write(`{"type":"identify","zipcode":"${zipcode}","city":"C"}\n${lines.join('\n')}\n`);
    });
  }

  stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    return new Promise((resolve) => {
      this.#child.once('close', () => resolve());
      this.#child.kill(signal);
    });
  }
}

/** The answer of `spool ls --json`, as far as the tests read it. */
interface Listing {
  readonly partitions: readonly {
    readonly topic: string;
    readonly log: string;
    readonly partition: number | null;
    readonly number?: number;
    readonly records: number;
    readonly cursor: number;
  }[];
  readonly total: { records: number; bytes: number; ageSeconds: number; setAside: number };
  readonly deadLetters: { readonly total: { records: number; bytes: number } };
}

export interface Printed {
  readonly topic: string;
  readonly partition: number | null;
  readonly log?: string;
  readonly number?: number;
  readonly offset: number;
  readonly timestamp: number;
  readonly key: string;
  readonly value: string;
}

export const printed = (out: string): Printed[] =>
  out
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Printed);

export const numberOf = ({ value }: Printed): number => (JSON.parse(value) as { data: { n: number } }).data.n;

/** A spool with ten readings and two dead letters. */
export async function withLetters(t: TestContext, env: Env = {}): Promise<Place> {
  const place = new Place(t, env);
  const gateway = await place.gateway(t);
  await gateway.send('90210', 10);
  await gateway.sendRefused(['no json', '{"type":"\u001b[31m"}']);
  await gateway.stop();
  return place;
}
