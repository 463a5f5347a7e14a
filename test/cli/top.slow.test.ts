// `sluice top` in a real terminal of tmux, against a real gateway: narrow and wide, with hostile devices, and every way out.
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { childrenOf } from '../../scripts/lib/proc.ts';
import { Device } from '../support/device.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { hasTools } from '../support/missing-tool.ts';
import { runProgram } from '../support/program.ts';
import { MAIN, Terminal } from '../support/terminal.ts';
import { waitFor } from '../support/wait.ts';

/** A width that no terminal agrees on with another, a direction of reading, and accents without end. */
const CITIES = [
  '東京都千代田区丸の内一丁目',
  `\u202e<img onerror=x>`,
  `a${'\u0301'.repeat(40)}`,
  '👨‍👩‍👧‍👦🏳️‍🌈',
];

const directory = mkdtempSync(join(tmpdir(), 'sluice-top-'));
let gateway: GatewayProcess;
const devices: Device[] = [];
let traffic: NodeJS.Timeout;

before(async () => {
  gateway = await GatewayProcess.reserve(directory, { KAFKA_BROKERS: '' });
  await gateway.start();
  for (const [n, city] of CITIES.entries()) {
    const device = await Device.connect(gateway.port);
    device.send(`${JSON.stringify({ type: 'identify', device_id: `roof-${n}`, zipcode: '00100', city })}\n`);
    await device.readLine();
    devices.push(device);
  }
  let seq = 0;
  // The busier, the higher its number. One of them errs.
  traffic = setInterval(() => {
    seq++;
    for (const [n, device] of devices.entries())
      device.send(`{"type":"metrics","seq":${seq},"data":{"a":"${'x'.repeat(n * 50)}"}}\n`);
    devices[0]?.send('\x1b[2J\x1b]0;owned\x07 nonsense\n');
  }, 50);
});
after(async () => {
  clearInterval(traffic);
  for (const device of devices) device.socket.destroy();
  await gateway.close();
  rmSync(directory, { recursive: true, force: true, maxRetries: 10 });
});

interface Size {
  readonly width: number;
  readonly height: number;
}

/** `top` in a shell that shows its exit code, and the modes of the terminal, when it has ended. */
function topIn(t: TestContext, { width, height }: Size, ...args: readonly string[]): Terminal {
  const sluice = [process.execPath, MAIN, 'top', '--interval', '200ms', ...args].join(' ');
  const script = `echo before; ${sluice}; echo "ended with $?"; stty -a | grep icanon; exec cat`;
  const env = { HTTP_PORT: String(gateway.httpPort), TERM: 'tmux-256color', PATH: process.env.PATH ?? '' };
  return new Terminal(t, ['sh', '-c', script], { env, cwd: directory, width, height });
}

/** The terminal is as before, with the former text. */
async function isRestored(terminal: Terminal, exitCode: number): Promise<void> {
  const screen = await terminal.shows(/ended with \d+[\s\S]* icanon/);
  assert.match(screen, new RegExp(`ended with ${exitCode}\\b`));
  assert.match(screen, /before/);
  assert.match(screen, / echo\b/);
  assert.deepEqual(
    ['alternate_on', 'cursor_flag', 'wrap_flag'].map((name) => terminal.value(name)),
    ['0', '1', '1'],
  );
}

const WIDE = { width: 140, height: 30 };
const NARROW = { width: 40, height: 20 };
/** All that was written to the terminal, by pictures. */
const picturesIn = (file: string) =>
  (existsSync(file) ? readFileSync(file, 'utf8') : '').split('\x1b[?2026h');
/** The order of the devices on the screen. */
const order = (screen: string) => [...screen.matchAll(/^roof-(\d)/gm)].map(([, n]) => Number(n));

// They mostly wait for the next picture.
describe('sluice top', { concurrency: 2 }, () => {
  it('shows state, flow and the busiest connections, sorts by keys, searches and pauses', async (t) => {
    if (!hasTools(t, 'tmux')) return;
    const terminal = topIn(t, WIDE);
    const screen = await terminal.shows(/flow +[1-9]\d*\/s lines in/);
    assert.match(screen, /^sluice +READY {2}up \d/);
    assert.match(screen, /^kafka failed: KAFKA_BROKERS is empty\n +to do: /m);
    assert.match(screen, /^devices +4 of /m);
    assert.match(screen, /^spool +[\d,]+ records/m);
    assert.equal(terminal.value('alternate_on'), '1');
    await waitFor('the busiest first', () => order(terminal.screen()).join() === '3,2,1,0');
    terminal.press('o');
    await waitFor('the least busy first', () => order(terminal.screen()).join() === '0,1,2,3');
    terminal.press('o', 'e');
    await waitFor('the one with errors first', () => order(terminal.screen())[0] === 0);
    await terminal.shows('by errors');
    terminal.type('/roof-2');
    terminal.press('Enter');
    await terminal.shows('1 open connections match "roof-2"');
    terminal.type('/');
    terminal.press('Escape');
    await terminal.shows('4 open connections, by');
    terminal.press('p');
    await terminal.shows('PAUSED');
    const paused = terminal.screen();
    await new Promise((resolve) => setTimeout(resolve, 600));
    assert.equal(terminal.screen(), paused);
    terminal.press('p');
    await waitFor('it goes on', () => terminal.screen() !== paused && !terminal.screen().includes('PAUSED'));
    terminal.press('c');
    await terminal.shows('closed connections');
    terminal.press('q');
    await isRestored(terminal, 0);
  });

  it('fits a narrow terminal, and follows its size', async (t) => {
    if (!hasTools(t, 'tmux')) return;
    const terminal = topIn(t, NARROW);
    const narrow = await terminal.shows(/^roof-3 +\d/m);
    assert.match(narrow, /^q: quit .{32}$/m, 'the last column is used');
    assert.match(narrow, /\/: search/);
    assert.match(narrow, /^sluice +READY/);
    assert.equal(narrow.split('\n').length, NARROW.height);
    terminal.resize(WIDE.width, WIDE.height);
    const wide = await terminal.shows(/^DEVICE +ADDRESS +ZIPCODE +CITY .*AGE/m);
    assert.equal(wide.split('\n').length, WIDE.height);
    terminal.resize(10, 3);
    await waitFor('a tiny screen', () => terminal.screen().split('\n').length <= 3);
    terminal.resize(NARROW.width, NARROW.height);
    await terminal.shows(/^roof-3 +\d/m);
    terminal.press('C-c');
    await isRestored(terminal, 0);
  });

  it('keeps each text of a device in its place', async (t) => {
    if (!hasTools(t, 'tmux')) return;
    const terminal = topIn(t, WIDE);
    const screen = await terminal.shows(/\\u202e<img/);
    const rows = screen.split('\n');
    const head = rows.findIndex((row) => row.startsWith('DEVICE'));
    assert.equal(
      rows.slice(head + 1, head + 5).every((row) => /^roof-\d +127\.0\.0\.1 +00100 /.test(row)),
      true,
      screen,
    );
    // Columns behind the city stand below each other, whatever its width.
    const ends = rows.slice(head + 1, head + 5).map((row) => row.search(/\d+(?:\.\d)? (?:Ki)?B\/s/) > 0);
    assert.deepEqual(ends, [true, true, true, true]);
    assert.equal(terminal.value('pane_title').includes('owned'), false);
    terminal.press('q');
    await isRestored(terminal, 0);
  });

  it('writes only rows that changed, and never clears the screen', async (t) => {
    if (!hasTools(t, 'tmux')) return;
    const terminal = topIn(t, WIDE);
    await terminal.shows(/^DEVICE/m);
    const file = join(directory, 'written');
    terminal.record(file);
    await waitFor('ten pictures', () => picturesIn(file).length > 10);
    const pictures = picturesIn(file).slice(1, -1);
    assert.ok(pictures.every((one) => !one.includes('\x1b[2J')));
    // The keys in the last row stay as they are.
    assert.ok(pictures.every((one) => !one.includes(`\x1b[${WIDE.height};1H`)));
    const bytes = pictures.reduce((sum, one) => sum + one.length, 0) / pictures.length;
    assert.ok(bytes < 2_500, `${bytes} bytes a picture`);
    terminal.press('q');
    await isRestored(terminal, 0);
  });

  it('gives the terminal to the shell with Ctrl-Z, and takes it again with fg', async (t) => {
    if (!hasTools(t, 'tmux')) return;
    const env = { HTTP_PORT: String(gateway.httpPort), PATH: process.env.PATH ?? '', PS1: 'ready> ' };
    const terminal = new Terminal(t, ['bash', '--norc', '-i'], { env, cwd: directory, ...WIDE });
    await terminal.shows('ready>');
    terminal.type(`${process.execPath} ${MAIN} top\n`);
    await terminal.shows(/^DEVICE/m);
    terminal.press('C-z');
    await terminal.shows('Stopped');
    assert.equal(terminal.value('alternate_on'), '0');
    terminal.type('fg\n');
    await terminal.shows(/^DEVICE/m);
    terminal.press('q');
    await terminal.shows('ready>');
    assert.equal(terminal.value('alternate_on'), '0');
  });

  it('gives the terminal back after kill', async (t) => {
    if (!hasTools(t, 'tmux')) return;
    for (const [signal, exitCode] of [
      ['SIGTERM', 143],
      ['SIGINT', 130],
    ] as const) {
      const terminal = topIn(t, WIDE);
      await terminal.shows(/^DEVICE/m);
      const [top] = childrenOf(Number(terminal.value('pane_pid')));
      assert.ok(top !== undefined);
      process.kill(top, signal);
      await isRestored(terminal, exitCode);
    }
  });

  it('ends when its terminal is closed', async (t) => {
    if (!hasTools(t, 'tmux')) return;
    const terminal = topIn(t, WIDE);
    await terminal.shows(/^DEVICE/m);
    const [top] = childrenOf(Number(terminal.value('pane_pid')));
    assert.ok(top !== undefined);
    terminal.close();
    await waitFor('it has ended', () => !isRunning(top));
  });
});

describe('sluice top of a gateway that comes and goes', () => {
  it('says that the gateway is gone, goes on when it is back, and gives up in the end', async (t) => {
    if (!hasTools(t, 'tmux')) return;
    const patient = topIn(t, WIDE);
    const hasty = topIn(t, WIDE, '--give-up', '1s');
    await patient.shows(/^DEVICE/m);
    await hasty.shows(/^DEVICE/m);
    await gateway.kill();
    await patient.shows(/^NO FIGURES for .*ECONNREFUSED/);
    await isRestored(hasty, 69);
    assert.match(hasty.screen(), /no answer from http:\/\/127\.0\.0\.1:\d+ \(ECONNREFUSED\)/);
    await gateway.start();
    await patient.shows(/^sluice +READY/);
    patient.press('q');
    await isRestored(patient, 0);
  });

  it('without a terminal prints one picture', async () => {
    const { code, out } = await runProgram('src/main.js', ['top', '--interval', '200ms'], {
      env: { HTTP_PORT: String(gateway.httpPort) },
    });
    assert.equal(code, 0);
    assert.match(out, /^sluice +READY[\s\S]*^flow +[\d.,]+\/s lines in[\s\S]*^\d+ open connections/m);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: a file is no terminal
    assert.doesNotMatch(out, /\x1b/);
  });
});

function isRunning(pid: number): boolean {
  try {
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
