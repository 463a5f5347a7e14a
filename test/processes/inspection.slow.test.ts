// The admin port over several real server processes: all answer its questions, one that hangs is named, and /events has
// the figures of all and of each.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { QUESTION_LIMITS } from '../../src/inspect/questions.ts';
import { GatewayProcess } from '../support/gateway-process.ts';
import { waitFor } from '../support/wait.ts';

interface Page {
  readonly processes: readonly { readonly index: number; readonly pid: number }[];
  readonly missing: readonly number[];
}

interface Events {
  readonly at?: string;
  readonly process?: number | null;
  readonly samples?: { readonly at?: readonly number[] };
  readonly processes?: { readonly running: number };
  readonly processList?: readonly {
    readonly index: number;
    readonly pid: number;
    readonly answers: boolean;
  }[];
}

test('several server processes answer questions and are in /events, without the one that hangs', async (t) => {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-inspect-'));
  const gateway = await GatewayProcess.reserve(directory, { KAFKA_BROKERS: '', TCP_PROCESSES: '2' });
  t.after(async () => {
    await gateway.close();
    rmSync(directory, { recursive: true });
  });
  await gateway.start();
  const ask = async () => {
    const response = await fetch(`http://127.0.0.1:${gateway.httpPort}/processes`);
    return (await response.json()) as Page;
  };
  const both = await ask();
  assert.deepEqual(
    both.processes.map(({ index }) => index),
    [0, 1],
  );
  assert.deepEqual(both.processes.map(({ pid }) => pid).sort(), [...gateway.children].sort());
  assert.deepEqual(both.missing, []);

  const events = async (path: string) => {
    const response = await fetch(`http://127.0.0.1:${gateway.httpPort}${path}`);
    assert.ok(response.body !== null);
    let text = '';
    for await (const chunk of response.body.pipeThrough(new TextDecoderStream())) {
      text += chunk;
      if (/event: figures\n.*\n\n/.test(text)) break;
    }
    const [history, figures] = ['history', 'figures'].map(
      (name) => JSON.parse(new RegExp(`event: ${name}\\ndata: (.*)`).exec(text)?.[1] ?? '') as Events,
    );
    return { history, figures };
  };
  let whole = await events('/events');
  // A process that has just started may answer a little later.
  await waitFor('both answer', async () => {
    if (whole.figures?.processList?.every(({ answers }) => answers)) return true;
    whole = await events('/events');
    return false;
  });
  assert.deepEqual(
    whole.figures?.processList?.map(({ index, pid, answers }) => ({ index, pid, answers })),
    both.processes.map(({ index, pid }) => ({ index, pid, answers: true })),
  );
  assert.equal(whole.figures.processes?.running, 2);
  const ofOne = await events('/events?process=1');
  assert.equal(ofOne.history?.process, 1);
  assert.ok(!('readiness' in (ofOne.figures ?? {})));
  // A reload has the samples of before.
  const again = await events('/events');
  assert.ok(again.history?.samples?.at?.includes(Date.parse(whole.figures.at ?? '')));

  const [, second] = both.processes;
  assert.ok(second !== undefined);
  process.kill(second.pid, 'SIGSTOP');
  const start = performance.now();
  const left = await ask();
  const tookMs = performance.now() - start;
  assert.deepEqual([left.processes.map(({ index }) => index), left.missing], [[0], [1]]);
  assert.ok(tookMs < QUESTION_LIMITS.timeoutMs + 1_000, `${tookMs} ms`);
});
