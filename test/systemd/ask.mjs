// ask.mjs ready | device tls|plain PORT | status METHOD PATH [TOKEN]: what steps.sh asks the gateway. Prints the answer.
import { connect } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';

const ADMIN = 'http://127.0.0.1:9108';
const [what, ...args] = process.argv.slice(2);
const jobs = { ready, device, status };
await jobs[what](...args);

async function ready() {
  for (let tries = 0; tries < 600; tries++) {
    const answer = await fetch(`${ADMIN}/readyz`).catch(() => undefined);
    if (answer?.ok) return console.log('ready');
    await sleep(100);
  }
  console.log('not ready');
}

async function device(kind, port) {
  const socket = kind === 'tls' ? connectTls({ port, rejectUnauthorized: false }) : connect({ port });
  socket.setTimeout(20_000, () => socket.destroy());
  socket.write('{"type":"identify","zipcode":"90210","city":"Beverly Hills"}\n');
  socket.write('{"type":"metrics","seq":1,"data":{"temperature":21.5}}\n');
  let text = '';
  for await (const chunk of socket.setEncoding('utf8')) {
    text += chunk;
    if (text.split('\n').length > 2) break;
  }
  console.log(`${kind} ${text.trim().split('\n').at(-1)}`);
}

async function status(method, path, token) {
  const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
  const answer = await fetch(`${ADMIN}${path}`, { method, headers });
  console.log(`${method} ${token === undefined ? 'without' : 'with'} token: ${answer.status}`);
}
