// Rules on the port of plain lines, which never answers.
import { setTimeout as sleep } from 'node:timers/promises';
import type { Rule } from '../rule.ts';

const section = 'Plain lines';
/** A gateway that answers or closes does so sooner. */
const SILENCE_MS = 300;

export const PLAIN_LINE_RULES: readonly Rule[] = [
  {
    id: 'plain_lines.no_replies',
    section,
    says: 'A line is any JSON object. Nothing is answered, and after the FIN of the sender the connection is closed.',
    check: async (gateway) => {
      const sender = await gateway.connectForLines();
      sender.send('{"@timestamp":"2026-11-28T00:00:00Z","host":"box","message":"hello"}\n');
      sender.send('{"type":"keepalive"}\r\n{"type":"identify"}\n{"a":{"b":[1,2,{}]}}').end();
      await sender.closed();
      if (sender.hasHeard) throw sender.failed('no reply');
    },
  },
  {
    id: 'plain_lines.bad_lines',
    section,
    says: 'A bad line is not answered either, and the connection goes on.',
    check: async (gateway) => {
      const sender = await gateway.connectForLines();
      sender.send('hello\n\n[1]\n{"a":\n').send(Buffer.from('{"a":"\xff"}\n{"a":1}\n', 'latin1'));
      await sleep(SILENCE_MS);
      if (sender.hasEnded) throw sender.failed('a connection that stays open');
      sender.send('{"a":1}\n').end();
      await sender.closed();
      if (sender.hasHeard) throw sender.failed('no reply');
    },
  },
  {
    id: 'plain_lines.too_long',
    section,
    says: 'The rest of a line that is too long is skipped, and the connection goes on.',
    check: async (gateway) => {
      const sender = await gateway.connectForLines();
      sender.send(`{"a":"${'x'.repeat(gateway.options.maxLineBytes)}"}\n`);
      await sleep(SILENCE_MS);
      if (sender.hasEnded) throw sender.failed('a connection that stays open');
      sender.send('{"a":1}\n').end();
      await sender.closed();
      if (sender.hasHeard) throw sender.failed('no reply');
    },
  },
  {
    id: 'plain_lines.wrong_protocol',
    section,
    says: 'Another protocol in the first bytes closes the connection, without a reply.',
    check: async (gateway) => {
      const sender = await gateway.connectForLines();
      await sender.send('GET / HTTP/1.1\r\nHost: a\r\n\r\n').closed();
      if (sender.hasHeard) throw sender.failed('no reply');
    },
  },
];
