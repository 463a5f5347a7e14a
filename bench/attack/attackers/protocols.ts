// Attacks by other protocols on the device port: a browser's post, and the first bytes of others.
import type { Attack } from '../attack.ts';
import { codes, foreignProblem } from '../evidence.ts';
import type { Arena } from './arena.ts';

const MESSAGES =
  '{"type":"identify","zipcode":"20000","city":"Foeville"}\n{"type":"metrics","data":{"temperature":99}}\n';
const PER_SECOND = 200;
const TICK_MS = 50;

const HTTP_POST = Buffer.from(
  `POST / HTTP/1.1\r\nHost: host:8080\r\nOrigin: http://evil.example\r\nContent-Type: text/plain\r\nContent-Length: ${MESSAGES.length}\r\n\r\n${MESSAGES}`,
);

/** The first bytes of a TLS 1.2 ClientHello, of SSH, of SMB 1 and 2 in NetBIOS, and of PROXY 1 and 2. */
const OTHERS: Readonly<Record<string, Buffer>> = {
  tls: Buffer.from(`16030100c8010000c40303${'ab'.repeat(180)}\n`.replace('\n', '0a'), 'hex'),
  ssh: Buffer.from('SSH-2.0-OpenSSH_9.6\r\n'),
  smb: Buffer.from(`00000054ff534d42720000000018012800${'00'.repeat(50)}0a`, 'hex'),
  smb2: Buffer.from(`00000054fe534d4240000000${'00'.repeat(50)}0a`, 'hex'),
  proxy: Buffer.from(`PROXY TCP4 10.0.0.1 10.0.0.2 40000 8080\r\n${MESSAGES}`),
  proxy2: Buffer.concat([
    Buffer.from('0d0a0d0a000d0a515549540a2111000c7f0000017f0000019c401f90', 'hex'),
    Buffer.from(MESSAGES),
  ]),
};

export const PROTOCOL_ATTACKS: readonly Attack[] = [
  {
    name: 'http-post',
    does: 'a web page posts identify and a reading to the device port, 200 times a second',
    holds: 'closed with `wrong_protocol`, no record',
    run: (arena) => send(arena, [HTTP_POST]),
    check: (evidence) => [
      ...codes.expect(evidence.attackers.ended, 'wrong_protocol'),
      ...foreignProblem(evidence),
    ],
  },
  {
    name: 'other-protocols',
    does: 'TLS, SSH, SMB and PROXY headers on the device port, 200 connections a second',
    holds: 'closed with `wrong_protocol`, no record',
    run: (arena) => send(arena, Object.values(OTHERS)),
    check: (evidence) => [
      ...codes.only(evidence.attackers.ended, 'wrong_protocol'),
      ...foreignProblem(evidence),
    ],
  },
];

async function send(arena: Arena, firsts: readonly Buffer[]): Promise<void> {
  let next = 0;
  await arena.every(TICK_MS, () => {
    for (let some = 0; some < (PER_SECOND * TICK_MS) / 1000; some++)
      arena.open().write(firsts[next++ % firsts.length] ?? HTTP_POST);
  });
}
