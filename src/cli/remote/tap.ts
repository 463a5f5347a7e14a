// `sluice tap`: shows a sample of live lines with their fate, until Ctrl-C or until the reader is gone.

import { jsonText } from '../json-text.ts';
import { Output, say } from '../output.ts';
import { answerIn } from './answer-json.ts';
import type { AdminClient } from './client.ts';
import { listIn, numberIn, objectIn, textIn } from './fields.ts';
import { withGateway } from './open-client.ts';
import type { TapWish } from './options.ts';
import { sayMissing } from './printing.ts';
import { TapLines } from './tap-lines.ts';

export function runTap(wish: TapWish): Promise<number> {
  return withGateway(wish, (client) => tap(client, wish));
}

async function tap(client: AdminClient, wish: TapWish): Promise<number> {
  const { json, device, address, zipcode, refused, limit } = wish;
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(signal, () => end.abort());
  const output = new Output(process.stdout, () => end.abort());
  let written: Promise<unknown> = Promise.resolve();
  const lines = new TapLines((line) => {
    written = output.write([Buffer.from(line)]);
  });
  const query = {
    device_id: device,
    address,
    zipcode,
    refused: refused && '1',
    limit_per_second: limit,
    seconds: wish.for === undefined ? undefined : Math.ceil(wish.for / 1000),
  };
  try {
    for await (const text of client.lines('/tap', { query, signal: end.signal })) {
      const event = eventIn(text);
      if (event === undefined) continue;
      if (json) await output.write([Buffer.from(jsonText(event))]);
      else show(event, lines);
      // Only so much is read as the terminal takes.
      await written;
    }
  } catch (error) {
    if (!end.signal.aborted) throw error;
  } finally {
    lines.flush();
  }
  return 0;
}

type TapEvent = Readonly<Record<string, unknown>>;

function eventIn(text: string): TapEvent | undefined {
  const event = objectIn(answerIn(text));
  return typeof event.event === 'string' ? event : undefined;
}

function show(event: TapEvent, lines: TapLines): void {
  switch (event.event) {
    case 'begin':
      say(`at most ${numberIn(event.limit_per_second)} lines a second; Ctrl-C ends it`);
      break;
    case 'line':
      lines.add(event);
      break;
    case 'fate':
      lines.settle(event);
      break;
    case 'passed_over':
      if (numberIn(event.lines) > 0) say(`${numberIn(event.lines)} further lines were not shown`);
      break;
    case 'missing':
      if (listIn(event.processes).length > 0) sayMissing(event.processes);
      break;
    case 'end':
      say(endText(textIn(event.reason), numberIn(event.undecided)));
      break;
  }
}

function endText(reason: string, undecided: number): string {
  const why = {
    time: 'its time is over',
    stopping: 'the gateway stops',
    too_slow: 'the output was read too slowly',
  }[reason];
  return `the tap has ended: ${why ?? reason}${undecided > 0 ? `; ${undecided} accepted lines are still on their way` : ''}`;
}
