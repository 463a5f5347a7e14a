// The logger's output is checked in process, the effect of a dead or stopped reader with real processes and a real pipe.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import type { OutputStream } from '../../src/log/log-output.ts';
import { createLogger, type LogSettings } from '../../src/log/logger.ts';

const HOSTILE = 'a\r\nINFO forged\u001b[31m\u0007\u009b31m\u202e\u2028\u200b\ufeff"\\n';

function logged(settings: LogSettings, use: (log: ReturnType<typeof createLogger>) => void): string {
  let text = '';
  const stream: OutputStream = {
    writableLength: 0,
    on: () => {},
    write: (line, done) => {
      text += line;
      done();
      return true;
    },
  };
  use(createLogger(settings, stream));
  return text;
}

/** Every character that is not printable, except the line feeds that end lines. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for these characters
const NOT_PRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\ufeff]/;

describe('hostile text in a log', () => {
  for (const format of ['json', 'pretty'] as const) {
    it(`forges no line and no colour as ${format}, in any field`, () => {
      const settings: LogSettings = { LOG_LEVEL: 'info', LOG_FORMAT: format };
      const text = logged(settings, (log) => {
        log.info({ id: HOSTILE, [HOSTILE]: [{ deep: HOSTILE }] }, HOSTILE);
        log.child({ bound: HOSTILE }).warn('%s', HOSTILE);
      });
      assert.equal(text.split('\n').length, 3, text);
      assert.doesNotMatch(text, NOT_PRINTABLE);
      assert.match(text, /INFO forged\\u001b\[31m/);
    });

    it(`cannot begin a line as ${format} through an error's message`, () => {
      const settings: LogSettings = { LOG_LEVEL: 'info', LOG_FORMAT: format };
      const err = new Error(HOSTILE, { cause: new Error(HOSTILE) });
      const text = logged(settings, (log) => log.error({ err }, 'failed'));
      assert.doesNotMatch(text, /^INFO/m);
      assert.doesNotMatch(text, NOT_PRINTABLE);
    });
  }

  it('is the same text again once the JSON is parsed', () => {
    const text = logged({ LOG_LEVEL: 'info', LOG_FORMAT: 'json' }, (log) => log.info({ id: HOSTILE }, 'x'));
    assert.equal(JSON.parse(text).id, HOSTILE);
  });
});

describe('the format', () => {
  it('auto is JSON if standard output is no terminal', () => {
    const text = logged({ LOG_LEVEL: 'info', LOG_FORMAT: 'auto' }, (log) => log.info('x'));
    assert.equal(JSON.parse(text).level, 'info');
  });

  it('a line below the level is not written, one at the level is', () => {
    const text = logged({ LOG_LEVEL: 'warn', LOG_FORMAT: 'json' }, (log) => {
      log.info('below');
      log.warn('at');
    });
    assert.match(text, /^[^\n]*"msg":"at"\}\n$/);
  });
});

/** Writes 2 MB of log for each line of its standard input and answers on standard error. Ends with its input. */
const PROGRAM = `
import { createLogger } from ${JSON.stringify(new URL('../../src/log/logger.js', import.meta.url).href)};
import { writeSync } from 'node:fs';
const log = createLogger({ LOG_LEVEL: 'info', LOG_FORMAT: 'json' });
let n = 0;
process.stdin.on('data', () => {
  for (let i = 0; i < 2000; i += 1) log.info({ n: n++, pad: 'x'.repeat(1000) }, 'line');
  writeSync(2, 'alive ' + n + ' ' + process.stdout.writableLength + '\\n');
});
process.stdin.on('end', () => log.flush(() => process.exit(7)));
`;

const directory = mkdtempSync(join(tmpdir(), 'sluice-log-'));
after(() => rmSync(directory, { recursive: true }));

describe('the reader of standard output', () => {
  let pipeline: Pipeline | undefined;
  afterEach(() => pipeline?.end());

  it('may be killed: the process goes on and ends in order', { timeout: 20_000 }, async () => {
    pipeline = await Pipeline.start(join(directory, 'killed'));
    await pipeline.burst();
    pipeline.signalReader('SIGKILL');
    for (let round = 0; round < 3; round += 1) await pipeline.burst();
    assert.equal(await pipeline.exitCode(), 7);
  });

  it('may be stopped: the process neither blocks nor grows, and ends within a second', {
    timeout: 20_000,
  }, async () => {
    pipeline = await Pipeline.start(join(directory, 'stopped'));
    pipeline.signalReader('SIGSTOP');
    for (let round = 0; round < 5; round += 1) {
      const waiting = await pipeline.burst();
      assert.ok(waiting <= 2 ** 20, `${waiting} bytes are waiting`);
    }
    assert.equal(await pipeline.programExit(), 7);
  });

  it('that goes on after a stop gets the number of lost lines', { timeout: 20_000 }, async () => {
    const path = join(directory, 'resumed');
    pipeline = await Pipeline.start(path);
    pipeline.signalReader('SIGSTOP');
    for (let round = 0; round < 3; round += 1) await pipeline.burst();
    pipeline.signalReader('SIGCONT');
    const lines = () => readFileSync(path, 'utf8').split('\n').slice(0, -1);
    const balance = () => {
      const read = lines().map((line) => JSON.parse(line) as { n?: number; lost?: number });
      const lost = read.reduce((sum, { lost = 0 }) => sum + lost, 0);
      return { lost, all: read.filter(({ n }) => n !== undefined).length + lost };
    };
    await until(() => balance().all === 6000);
    assert.ok(balance().lost > 0);
    assert.equal(await pipeline.exitCode(), 7);
  });
});

/** `program | reader` with a real pipe, because Node's pipes to children are sockets. */
class Pipeline {
  readonly #shell: ChildProcess;
  #heard = '';
  #bursts = 0;

  static async start(readerOutput: string): Promise<Pipeline> {
    const started = new Pipeline(readerOutput);
    await until(() => /reader \d+/.test(started.#heard));
    return started;
  }

  private constructor(readerOutput: string) {
    const script = `{ "$0" --input-type=module -e "$1"; echo "exit $?" >&2; } | { echo "reader $BASHPID" >&2; exec cat >"$2"; }`;
    this.#shell = spawn('bash', ['-c', script, process.execPath, PROGRAM, readerOutput], {
      stdio: ['pipe', 'ignore', 'pipe'],
    });
    this.#shell.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#heard += text;
    });
  }

  signalReader(signal: NodeJS.Signals): void {
    process.kill(Number(/reader (\d+)/.exec(this.#heard)?.[1]), signal);
  }

  /** Makes the program write 2000 lines. Resolves with the bytes that wait for the reader once it answers. */
  async burst(): Promise<number> {
    this.#bursts += 1;
    this.#shell.stdin?.write('go\n');
    const answer = new RegExp(`alive ${this.#bursts * 2000} (\\d+)`);
    await until(() => answer.test(this.#heard));
    return Number(answer.exec(this.#heard)?.[1]);
  }

  async programExit(): Promise<number> {
    this.#shell.stdin?.end();
    await until(() => /exit \d+/.test(this.#heard));
    return Number(/exit (\d+)/.exec(this.#heard)?.[1]);
  }

  async exitCode(): Promise<number> {
    const code = await this.programExit();
    await until(() => this.#shell.exitCode !== null || this.#shell.signalCode !== null);
    return code;
  }

  end(): void {
    this.#shell.stdin?.destroy();
    try {
      this.signalReader('SIGKILL');
    } catch {
      // The process has already ended.
    }
  }
}

async function until(condition: () => boolean): Promise<void> {
  const endAt = performance.now() + 10_000;
  while (!condition()) {
    assert.ok(performance.now() < endAt, 'waited 10 s in vain');
    await delay(10);
  }
}
