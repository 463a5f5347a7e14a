// Runs `sluice probe`: one question to the admin port of this machine, one line, exit code 0 or 1. It loads neither the
// schema of the settings nor the client of the other commands, because containers run it every few seconds.
import { type IncomingMessage, request } from 'node:http';
import { adminPlace } from '../../config/admin-place.ts';
import { printable } from '../../config/printable.ts';
import type { ProbeWish } from './command.ts';

const WAIT_MS = 2_000;
const MAX_BODY_BYTES = 64 * 2 ** 10;
const MAX_REASON_LENGTH = 500;

interface Answer {
  readonly status: number;
  readonly body: string;
}

/** Resolves with the exit code. */
export async function runProbe({ ready }: ProbeWish): Promise<number> {
  const place = await adminPlace();
  if (place.kind === 'off') return end(0, 'HTTP_PORT is empty, so there is no admin port to ask');
  if (place.kind === 'unknown') return end(1, place.why);
  const path = ready ? '/readyz' : '/healthz';
  const deadlineMs = performance.now() + WAIT_MS;
  const failures: string[] = [];
  for (const host of place.hosts) {
    try {
      return judged(ready === true, await ask({ host, port: place.port, path, deadlineMs }));
    } catch (error) {
      const { code, message } = error as NodeJS.ErrnoException;
      failures.push(`${host} port ${place.port}: ${code ?? message}`);
    }
  }
  return end(1, `no answer from the admin port (${failures.join('; ')})`);
}

/** Rejects if there is no whole answer in time. */
async function ask({
  deadlineMs,
  ...where
}: {
  host: string;
  port: number;
  path: string;
  deadlineMs: number;
}): Promise<Answer> {
  const tooLate = new Error(`nothing for ${WAIT_MS / 1000} s`);
  return new Promise((resolve, reject) => {
    // The gateway serves the name localhost always. Its own name may be one that it refuses, such as an address with a zone.
    let isAnswered = false;
    const asked = request({ ...where, agent: false, headers: { Host: 'localhost' } }, (response) => {
      isAnswered = true;
      textOf(response).then((body) => resolve({ status: response.statusCode ?? 0, body }), reject);
    });
    const timer = setTimeout(() => asked.destroy(tooLate), Math.max(1, deadlineMs - performance.now()));
    asked.on('error', reject).on('close', () => {
      clearTimeout(timer);
      // An offer of another protocol ends a request without an error.
      if (!isAnswered) reject(new Error('it closed the connection without an answer'));
    });
    asked.end();
  });
}

/** Its start, if it is longer. */
async function textOf(response: IncomingMessage): Promise<string> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += String(chunk);
    if (text.length > MAX_BODY_BYTES) break;
  }
  return text;
}

function judged(ready: boolean, { status, body }: Answer): number {
  if (status === 200) return end(0, ready ? 'ready' : 'alive');
  const reasons = reasonsIn(body);
  if (ready && status === 503) return end(1, `not ready${reasons === '' ? '' : `: ${reasons}`}`);
  return end(1, `the admin port answered with status ${status}: is it the gateway's?`);
}

/** Those of /readyz. */
function reasonsIn(body: string): string {
  try {
    const { reasons } = JSON.parse(body) as { readonly reasons?: unknown };
    return Array.isArray(reasons) ? reasons.map(String).join('; ').slice(0, MAX_REASON_LENGTH) : '';
  } catch {
    return '';
  }
}

function end(code: 0 | 1, text: string): number {
  process.stdout.write(`${printable(text)}\n`);
  return code;
}
