// The logger's output is checked in process, the effect of a dead or stopped reader with real processes and a real pipe.
import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { alsoHide } from '../../src/log/hide-secrets.ts';
import { createPino, type LogSettings } from '../../src/log/logger.ts';
import { textStream } from '../support/log.ts';
import { waitFor } from '../support/wait.ts';

const HOSTILE = 'a\r\nINFO forged\u001b[31m\u0007\u009b31m\u202e\u2028\u200b\ufeff"\\n';

function logged(settings: LogSettings, use: (log: ReturnType<typeof createPino>) => void): string {
  const { stream, text } = textStream();
  use(createPino(settings, { stream }));
  return text();
}

/** Every character that is not printable, except the line feeds that end lines. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: the test looks for these characters
const NOT_PRINTABLE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u200b-\u200f\u2028-\u202e\ufeff]/;

describe('secrets in a log', () => {
  const PASSWORD = 'o"brien\\ #1\n\u00e9';
  const PEM = '-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2Vw\n-----END PRIVATE KEY-----\n';

  for (const format of ['json', 'pretty'] as const) {
    it(`are hidden as ${format}, in a message, a field and an error`, () => {
      const settings = { LOG_LEVEL: 'info', LOG_FORMAT: format, KAFKA_SASL_PASSWORD: PASSWORD } as const;
      const text = logged(settings, (log) => {
        const err = Object.assign(new Error(`bad login ${PASSWORD}`), { options: { key: PEM, PASSWORD } });
        log.error({ err, deep: [{ PASSWORD, text: `x${PASSWORD}x` }] }, `refused ${PASSWORD} and ${PEM} end`);
        log.child({ cut: PEM.slice(0, 40) }).info({ after: 'kept' }, 'next');
      });
      assert.doesNotMatch(text, /brien|MC4CAQ/);
      for (const kept of ['bad login (hidden)', 'x(hidden)x', ' end', 'kept', 'next'])
        assert.ok(text.includes(kept), `${kept}\n${text}`);
      if (format === 'json') for (const line of text.trim().split('\n')) JSON.parse(line);
    });
  }

  it('are hidden whole, also if another secret is the beginning of one', () => {
    const text = logged(
      {
        LOG_LEVEL: 'info',
        LOG_FORMAT: 'json',
        HTTP_TOKEN: 'abcdefgh',
        KAFKA_SASL_PASSWORD: 'abcdefghSECRET',
      },
      (log) => log.info('abcdefghSECRET, abcdefgh'),
    );
    assert.equal(JSON.parse(text).msg, '(hidden), (hidden)');
  });

  it('are hidden too if they came after the start', () => {
    const text = logged({ LOG_LEVEL: 'info', LOG_FORMAT: 'json' }, (log) => {
      alsoHide('later"SECRET');
      log.info('new: later"SECRET');
      alsoHide('x');
      log.info('exactly');
    });
    assert.deepEqual(
      text
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line).msg),
      ['new: (hidden)', 'exactly'],
    );
  });

  it('are also tokens of devices: one may stand where a device_id or a name belongs', () => {
    const token = `sluice_${'Ab-_'.repeat(11).slice(1)}`;
    const text = logged({ LOG_LEVEL: 'info', LOG_FORMAT: 'json' }, (log) =>
      log.warn({ deviceId: token, name: `old ${token}` }, 'sluice_unauthorized_total has risen'),
    );
    const { deviceId, name, msg } = JSON.parse(text);
    assert.deepEqual(
      [deviceId, name, msg],
      ['(hidden)', 'old (hidden)', 'sluice_unauthorized_total has risen'],
    );
  });

  it('are also tokens for the login to Kafka, which no setting knows', () => {
    const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
    const token = `${part({ alg: 'ES256' })}.${part({ sub: 'sluice' })}.c2lnbmF0dXJl`;
    const text = logged({ LOG_LEVEL: 'info', LOG_FORMAT: 'json' }, (log) =>
      log.warn(`refused: Bearer ${token}, eyJ is no token`),
    );
    assert.equal(JSON.parse(text).msg, 'refused: Bearer (hidden), eyJ is no token');
  });

  it('are not hidden if they are so short that they could be a word', () => {
    const settings = { LOG_LEVEL: 'info', LOG_FORMAT: 'json', KAFKA_SASL_PASSWORD: 'sluice' } as const;
    assert.match(
      logged(settings, (log) => log.info('the sluice is open')),
      /the sluice is open/,
    );
  });
});

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
  for (let i = 0; i < 2000; i += 1) log.write('statistics', { summary: 'line', stats: { n: n++, pad: 'x'.repeat(1000) } });
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
      const read = lines().map((line) => JSON.parse(line) as { event: string; lost?: number });
      const lost = read.reduce((sum, { lost = 0 }) => sum + lost, 0);
      return { lost, all: read.filter(({ event }) => event === 'statistics').length + lost };
    };
    await waitFor('all lines', () => balance().all === 6000);
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
    await waitFor('the reader', () => /reader \d+/.test(started.#heard));
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
    await waitFor('the answer', () => answer.test(this.#heard));
    return Number(answer.exec(this.#heard)?.[1]);
  }

  async programExit(): Promise<number> {
    this.#shell.stdin?.end();
    await waitFor('the exit', () => /exit \d+/.test(this.#heard));
    return Number(/exit (\d+)/.exec(this.#heard)?.[1]);
  }

  async exitCode(): Promise<number> {
    const code = await this.programExit();
    await waitFor(
      'the end of the shell',
      () => this.#shell.exitCode !== null || this.#shell.signalCode !== null,
    );
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
