// The inputs for which the Go weather server's answers are known: cases.json holds 41 that were recorded from its newest
// public version, built unchanged, in November 2026; further-cases.json holds those of issue 20 that are not among them,
// with the answers that follow from the recorded ones.
import { readFileSync } from 'node:fs';

/** Tests run from dist/test. */
const FOLDER = new URL('../../../../test/protocol/old-server/', import.meta.url);

export interface Step {
  readonly send?: string;
  readonly sendBase64?: string;
  readonly sleepSeconds?: number;
  readonly fin?: true;
}

export interface Case {
  readonly case: string;
  readonly steps: readonly Step[];
  /** The status of each reply of the Go server. */
  readonly replies: readonly string[];
  /** Seconds after connecting, and how. Null = it stayed open. */
  readonly closed: readonly [seconds: number, how: string] | null;
  /** The values of its records. */
  readonly records: readonly string[];
}

export const CASES: readonly Case[] = ['cases.json', 'further-cases.json'].flatMap(
  (file) => JSON.parse(readFileSync(new URL(file, FOLDER), 'utf8')) as Case[],
);

/** The bytes of a step. Long texts are written as `<2000 times x>`. */
export function bytesOf({ send = '', sendBase64 }: Step): Buffer {
  if (sendBase64 !== undefined) return Buffer.from(sendBase64, 'base64');
  return Buffer.from(
    send.replace(/<(\d+) times (.*?)>/g, (_, count: string, text: string) => text.repeat(Number(count))),
  );
}
