// Runs a measuring command of the bench on the Kafka of the test run.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { withAdmin } from '../../scripts/kafka/client.ts';
import { type ProgramOutput, runProgram } from '../support/program.ts';

export interface CommandOptions {
  /** Absent: the command must fail before it needs Kafka. */
  readonly bootstrap?: string;
  /** Sends SIGINT once the output matches and `before` is done. */
  readonly interruptAt?: RegExp;
  readonly before?: () => Promise<unknown>;
}

/** @param name such as `sustained`, for dist/bench/sustained/main.js */
export function measuringCommand(
  name: string,
  args: readonly string[],
  { bootstrap = '127.0.0.1:1', interruptAt, before = async () => {} }: CommandOptions = {},
): Promise<ProgramOutput> {
  let interrupted = false;
  return runProgram(`bench/${name}/main.js`, args, {
    env: { KAFKA_BROKERS: bootstrap },
    onOutput: (text, child) => {
      if (interrupted || !interruptAt?.test(text)) return;
      interrupted = true;
      void before().finally(() => child.kill('SIGINT'));
    },
  });
}

export class Files {
  readonly #directory: string;

  constructor(t: TestContext) {
    this.#directory = mkdtempSync(join(tmpdir(), 'sluice-measuring-'));
    t.after(() => rmSync(this.#directory, { recursive: true, force: true }));
  }

  at(name: string): string {
    return join(this.#directory, name);
  }

  read(name: string): string {
    return readFileSync(this.at(name), 'utf8');
  }
}

/** The topics that such a command has created and not yet deleted. */
export function topicsOf(bootstrap: string, name: string): Promise<string[]> {
  return withAdmin(bootstrap, async (admin) =>
    (await admin.listTopics()).filter((topic) => topic.startsWith(`sluice.${name}.`)),
  );
}
