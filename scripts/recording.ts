// Records docs/demo.svg (npm run recording): runs the commands of the README with a real gateway and a real Kafka, and
// draws their output. It invents no output: it only shows the default ports for its free ports, sends the device's
// lines without nc, leaves out other log lines, and changes the pauses.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { freePort } from './kafka/ports.ts';
import { exitOf } from './kafka/process.ts';

type Kind = 'command' | 'typed' | 'output';
interface Line {
  readonly kind: Kind;
  readonly text: string;
  readonly atMs: number;
}

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const COLUMNS = 112;
const MAX_PAUSE_MS = 1200;
/** Before a line that a person types. */
const TYPING_MS = 900;
const DEADLINE_MS = 60_000;

const directory = mkdtempSync(join(tmpdir(), 'sluice-recording-'));
const [tcp, http, kafka] = [await freePort(), await freePort(), await freePort()];
const env = {
  ...process.env,
  TCP_PORT: String(tcp),
  HTTP_PORT: String(http),
  KAFKA_BROKERS: `127.0.0.1:${kafka}`,
  SPOOL_DIR: join(directory, 'spool'),
  TCP_PROCESSES: '1',
  LOG_FORMAT: 'pretty',
};
const lines: Line[] = [];
const children: ChildProcess[] = [];

try {
  const gateway = start('npm start', 'src/main.js', [], /TCP server listening|ECONNREFUSED|outage is over/);
  await gateway.says(/TCP server listening/);
  await gateway.says(/ECONNREFUSED/);
  await device([
    '{"type":"identify","zipcode":"90210","city":"Beverly Hills"}',
    '{"type":"metrics","seq":1,"data":{"temperature":21.5}}',
    '{"type":"metrics","seq":2,"data":{"temperature":21.5,"temperature":22}}',
  ]);
  await start('npm start -- spool ls', 'src/main.js', ['spool', 'ls']).ended();
  const data = ['--port', String(kafka), '--data', directory];
  await start('npm run kafka', 'scripts/kafka.js', data, /ready at/).says(/ready at/);
  await gateway.says(/outage is over/);
  const consume = ['consume', '--bootstrap', `127.0.0.1:${kafka}`];
  await start('npm run kafka -- consume', 'scripts/kafka.js', consume, /^90210/).says(/^90210/m);
  writeFileSync(join(ROOT, 'docs/demo.svg'), drawing());
  console.log('wrote docs/demo.svg');
} finally {
  for (const child of children.reverse()) {
    if (child.exitCode !== null || !child.kill('SIGINT')) continue;
    await exitOf(child);
  }
  rmSync(directory, { recursive: true, force: true });
}

function show(kind: Kind, text: string): void {
  const shown = text.replaceAll(String(tcp), '8080').replaceAll(String(kafka), '9092');
  for (let at = 0; at === 0 || at < shown.length; at += COLUMNS)
    lines.push({ kind, text: shown.slice(at, at + COLUMNS), atMs: performance.now() });
}

/** Shows the command and those of its output lines that match. */
function start(command: string, file: string, args: readonly string[], shown = /./) {
  show('command', `$ ${command}`);
  const child = spawn(process.execPath, [join(ROOT, 'dist', file), ...args], { env, cwd: ROOT });
  children.push(child);
  let said = '';
  child.stdout.on('data', (bytes) => {
    const whole = said.lastIndexOf('\n') + 1;
    said += bytes;
    const complete = said
      .slice(whole, said.lastIndexOf('\n') + 1)
      .split('\n')
      .slice(0, -1);
    for (const line of complete) if (shown.test(line)) show('output', line.replace(/ \{"[^{}]*\}$/, ''));
  });
  const says = async (pattern: RegExp): Promise<void> => {
    for (const until = performance.now() + DEADLINE_MS; !pattern.test(said); await sleep(20))
      if (performance.now() > until || child.exitCode !== null) throw new Error(`${command}: no ${pattern}`);
  };
  return { says, ended: () => exitOf(child) };
}

/** Types each line after the reply to the one before. */
async function device(typed: readonly string[]): Promise<void> {
  show('command', '$ nc localhost 8080');
  const socket = connect(tcp, '127.0.0.1');
  for (const line of typed) {
    show('typed', line);
    socket.write(`${line}\n`);
    const reply = await new Promise<Buffer>((resolve) => socket.once('data', resolve));
    show('output', String(reply).trimEnd());
  }
  socket.destroy();
}

function drawing(): string {
  const [lineHeight, margin] = [18, 14];
  let delayMs = 0;
  const rows = lines.map(({ kind, text, atMs }, index) => {
    const pauseMs = Math.min(MAX_PAUSE_MS, atMs - (lines[index - 1]?.atMs ?? atMs));
    delayMs += kind === 'output' ? pauseMs : Math.max(TYPING_MS, pauseMs);
    const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;');
    const y = margin + lineHeight * (index + 0.75);
    return `<text class="${kind}" x="${margin}" y="${y}" style="animation-delay:${(delayMs / 1000).toFixed(1)}s">${escaped}</text>`;
  });
  const [width, height] = [COLUMNS * 7.25 + 2 * margin, lines.length * lineHeight + 2 * margin];
  return `<svg xmlns="http://www.w3.org/2000/svg" xml:space="preserve" viewBox="0 0 ${width} ${height}" role="img" aria-label="A terminal: the gateway stores a reading without Kafka and delivers it when Kafka starts">
<style>
rect{fill:#f6f8fa;stroke:#d0d7de}
text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;white-space:pre;fill:#57606a;animation:show .2s backwards}
.command{fill:#1a7f37;font-weight:bold}
.typed{fill:#0969da}
@keyframes show{from{opacity:0}}
@media (prefers-color-scheme:dark){rect{fill:#0d1117;stroke:#30363d}text{fill:#c9d1d9}.command{fill:#3fb950}.typed{fill:#58a6ff}}
@media (prefers-reduced-motion:reduce){text{animation:none}}
</style>
<rect x="0.5" y="0.5" width="${width - 1}" height="${height - 1}" rx="8"/>
${rows.join('\n')}
</svg>
`;
}
