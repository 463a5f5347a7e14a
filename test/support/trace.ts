// Reads the output of `strace -f -yy -xx -v`: the system calls of a process with their bytes, in order.
// A call has a beginning and an end, because calls of other threads may come between them.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { TestContext } from 'node:test';
import { skipWithoutTool } from './missing-tool.ts';

export interface TracedCall {
  readonly name: string;
  /** Path of the file, empty for anything else. */
  readonly path: string;
  /** Ports of a TCP socket, 0 for anything else. */
  readonly localPort: number;
  readonly remotePort: number;
  /** The bytes written or read. Empty at the beginning of a read. */
  readonly bytes: Buffer;
  /** Undefined at the beginning; negative when the call failed. */
  readonly result: number | undefined;
}

export interface TraceEvent {
  readonly phase: 'begin' | 'end';
  readonly call: TracedCall;
}

/** Longer than any single write of a test: strace cuts longer strings. */
const MAX_STRING_BYTES = 1 << 20;

/** The words to put before a command. */
export function straceCommand(file: string, calls: readonly string[]): string[] {
  return [
    ...['strace', '-f', '-yy', '-xx', '-v', '-s', String(MAX_STRING_BYTES)],
    ...['-o', file, '-e', `trace=${calls.join(',')}`],
  ];
}

/** False, and the test is skipped loudly, when strace is missing or may not trace here. In CI that is a failure. */
export function canTrace(t: TestContext): boolean {
  if (spawnSync('strace', ['-f', '-o', '/dev/null', 'true']).status === 0) return true;
  const why = 'strace is missing or may not trace here (on Debian: apt-get install strace)';
  skipWithoutTool(t, why);
  return false;
}

export function readTrace(file: string): TraceEvent[] {
  const events: TraceEvent[] = [];
  const begun = new Map<string, string>();
  for (const line of readFileSync(file, 'latin1').split('\n')) {
    const [, pid = '', text = ''] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    const unfinished = / ?<unfinished \.\.\.>$/;
    const resumed = /^<\.\.\. \w+ resumed>/.exec(text);
    if (unfinished.test(text)) {
      begun.set(pid, text.replace(unfinished, ''));
      addCall(events, 'begin', text);
    } else if (resumed) {
      const whole = (begun.get(pid) ?? '') + text.slice(resumed[0].length);
      begun.delete(pid);
      addCall(events, 'end', whole);
    } else {
      addCall(events, 'begin', text);
      addCall(events, 'end', text);
    }
  }
  return events;
}

function addCall(events: TraceEvent[], phase: TraceEvent['phase'], text: string): void {
  const [head, name = '', target = ''] = /^(\w+)\(\d+<((?:->|[^>])*)>/.exec(text) ?? [];
  if (head === undefined) return;
  const [, localPort = 0, remotePort = 0] = /^TCP:\[[\d.]+:(\d+)->[\d.]+:(\d+)\]?$/.exec(target) ?? [];
  const [, answer] = /\)\s+= (-?\d+)[^)]*$/.exec(text) ?? [];
  const result = phase === 'end' && answer !== undefined ? Number(answer) : undefined;
  const carried = phase === 'begin' && name === 'read' ? Buffer.alloc(0) : stringsOf(text);
  const path = target.startsWith('\\x') ? unhex(target).toString() : '';
  const bytes = result === undefined ? carried : carried.subarray(0, Math.max(0, result));
  const ports = { localPort: Number(localPort), remotePort: Number(remotePort) };
  events.push({ phase, call: { name, path, ...ports, bytes, result } });
}

/** All strings of a call's arguments, one after the other. */
const stringsOf = (text: string): Buffer =>
  Buffer.concat(Array.from(text.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g), ([, hex = '']) => unhex(hex)));

const unhex = (text: string): Buffer => Buffer.from(text.replaceAll('\\x', ''), 'hex');
