// A device: takes a reading every INTERVAL_MS, keeps it in STATE_FILE until the gateway has `stored` it, and sends it again
// after a cut. README.md beside this file explains the rules. `node device.ts` runs it (Node 22.18 or later).
import * as fs from 'node:fs';
import { connect, type Socket } from 'node:net';
import { dirname } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

/** Replace this by your sensor. */
const readSensor = () => ({ temperature: Math.round(2000 + 500 * Math.random()) / 100 });

const { SLUICE_HOST = 'localhost', SLUICE_PORT = '8080', SLUICE_CA, SLUICE_TOKEN, RESUME } = process.env;
const { DEVICE_ID = 'device-1', ZIPCODE = '90210', CITY = 'Beverly Hills' } = process.env;
const { STATE_FILE = 'device.state', INTERVAL_MS = '60000', MAX_KEPT = '10000' } = process.env;
const { COUNT = 'Infinity', SECOND_MS = '1000' } = process.env;
const secondMs = Number(SECOND_MS);
/** Ends of a connection after which the first wait is 5 seconds, or a minute. */
const BUSY = ['server_full', 'overloaded', 'handshake_timeout', 'handshake_failed'];
const WRONG = ['unauthorized', 'too_many_errors', 'certificate'];

type Texts = Partial<Record<'status' | 'code' | 'message', string>>;
type Reply = Texts & Partial<Record<'seq' | 'stored_seq' | 'reconnect_after_ms', number>>;

/** Messages that are not stored, by seq, as they are sent. */
const kept = new Map<number, string>();
/** All up to this seq are stored. -1: no gateway knows the count of this file. */
let stored = -1;
let [highest, file, linesInFile, waitFactor] = [0, -1, 0, 1];
let socket: Socket;
/** The highest seq that was sent on this connection, and when messages may be sent. */
let [sent, sendAt] = [0, Infinity];

function loadFile(): void {
  const text = fs.existsSync(STATE_FILE) ? fs.readFileSync(STATE_FILE, 'utf8') : '';
  for (const [, seq] of text.matchAll(/^stored (\d+)\n/gm)) stored = Number(seq);
  // A crash may have cut off the last line. Then it was never sent, and its number is free.
  for (const [, line = '', seq] of text.matchAll(/^(\{"type":"metrics","seq":(\d+),[^\n]*\}\})\n/gm))
    if (Number(seq) > stored) kept.set(Number(seq), line);
  highest = Math.max(stored, 0, ...kept.keys());
  rewriteFile();
}

/** Writes what is still needed to a new file. A crash leaves the old file or the new one. */
function rewriteFile(): void {
  const lines = [`stored ${stored}`, ...kept.values(), ''];
  if (file >= 0) fs.closeSync(file);
  file = fs.openSync(`${STATE_FILE}.new`, 'w');
  fs.writeFileSync(file, lines.join('\n'));
  fs.fsyncSync(file);
  fs.renameSync(`${STATE_FILE}.new`, STATE_FILE);
  const directory = fs.openSync(dirname(STATE_FILE), 'r');
  fs.fsyncSync(directory);
  fs.closeSync(directory);
  linesInFile = lines.length;
}

/** A message may be sent once it is on the disk. */
function keep(data: object): void {
  const line = JSON.stringify({ type: 'metrics', seq: highest + 1, data });
  fs.writeFileSync(file, `${line}\n`);
  fs.fsyncSync(file);
  linesInFile++;
  kept.set(++highest, line);
}

function takeReading(): void {
  if (kept.size >= Number(MAX_KEPT)) console.error(`no reading is taken: ${kept.size} wait to be stored`);
  else if (highest < Number(COUNT)) keep({ n: highest + 1, ...readSensor() });
  send();
}

function onStored(seq: number): void {
  for (const one of kept.keys()) {
    if (one > seq) break;
    kept.delete(one);
  }
  stored = Math.max(stored, seq);
  highest = Math.max(highest, seq);
  fs.writeFileSync(file, `stored ${stored}\n`);
  if (++linesInFile > kept.size + 1000) rewriteFile();
}

/** Sends what may be sent: in order, and at most 100 messages that are not confirmed. */
function send(): void {
  if (highest >= Number(COUNT) && kept.size === 0) process.exit();
  if (performance.now() < sendAt) return;
  let room = 100;
  for (const [seq, line] of kept) {
    if (--room < 0) break;
    if (seq > sent) socket.write(`${line}\n`);
    sent = Math.max(seq, sent);
  }
}

function hear({ status, code, message, seq = 0, stored_seq }: Reply): void {
  if (status === 'identified') {
    onStored(stored_seq ?? 0);
    sendAt = 0;
  } else if (status === 'stored') {
    onStored(seq);
    waitFactor = 1;
  } else if (status === 'error') {
    console.error(`the gateway refused ${seq > 0 ? `seq ${seq}` : 'this'} (${code}): ${message}`);
    const line = kept.get(seq);
    kept.delete(seq);
    if (code === 'queue_full' && line !== undefined) {
      // No fault of the message. Higher ones are sent already, so it needs a new seq.
      keep(JSON.parse(line).data);
      sendAt = performance.now() + secondMs;
    }
  }
  send();
}

/** One connection. Resolves with the gateway's last words on it. */
function talk(): Promise<Reply> {
  const address = { host: SLUICE_HOST, port: Number(SLUICE_PORT) };
  socket = SLUICE_CA ? connectTls({ ...address, ca: fs.readFileSync(SLUICE_CA) }) : connect(address);
  let end: Reply = { code: SLUICE_CA ? 'handshake_failed' : 'cut' };
  socket.on(SLUICE_CA ? 'secureConnect' : 'connect', () => {
    [end, sent] = [{ code: 'cut' }, 0];
    // A new file begins a new count, so it asks nothing.
    const resume = stored >= 0 && RESUME !== 'false';
    const fields = { zipcode: ZIPCODE, city: CITY, device_id: DEVICE_ID, token: SLUICE_TOKEN, resume };
    // A field may be left out, but not be empty.
    socket.write(`${JSON.stringify({ type: 'identify', ...fields }, (_, value) => value || undefined)}\n`);
  });
  socket.on('error', (error: NodeJS.ErrnoException) => {
    console.error(`connection: ${error.message}`);
    if (/CERT|VERIFY|UNKNOWN_CA/.test(error.code ?? '')) end = { code: 'certificate' };
  });
  let silentMinutes = 0;
  const everyMinute = setInterval(() => {
    if (++silentMinutes > 2 || sendAt === Infinity) socket.destroy();
    else socket.write('{"type":"keepalive"}\n');
  }, 60 * secondMs);
  let rest = '';
  socket.setEncoding('utf8').on('data', (text: string) => {
    everyMinute.refresh();
    silentMinutes = 0;
    const lines = (rest + text).split('\n');
    rest = lines.pop() ?? ''; // of a line that is cut off nothing counts
    for (const reply of lines.map(parse)) {
      if (reply.status === 'closing') end = { ...reply, code: 'closing' };
      if (reply.status === 'error') end = reply;
      hear(reply);
    }
  });
  return new Promise((resolve) => {
    socket.on('close', () => {
      clearInterval(everyMinute);
      sendAt = Infinity;
      resolve(end);
    });
  });
}

function parse(line: string): Reply {
  try {
    return Object(JSON.parse(line));
  } catch {
    return {};
  }
}

/** How long to wait before the next connection. */
function waitMs({ code = '', reconnect_after_ms: toldMs }: Reply): number {
  const ms = toldMs ?? (WRONG.includes(code) ? 60 : BUSY.includes(code) ? 5 : 1) * secondMs;
  const jitter = 1 + Math.random() / 2;
  if (code === 'closing') return ms;
  if (code === 'kicked') return ms * jitter;
  const factor = waitFactor;
  waitFactor = Math.min(waitFactor * 2, 60);
  return ms * factor * jitter;
}

loadFile();
takeReading();
setInterval(takeReading, Number(INTERVAL_MS));
for (;;) {
  const end = await talk();
  if (end.code === 'wrong_protocol' || end.code === 'tls_required') {
    console.error('The address, the port or the TLS settings are wrong. No retry would help.');
    process.exit(78);
  }
  await sleep(waitMs(end));
}
