// Runs the checks of `sluice check` in this process or as a program, with a spool of their own.
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import type { Finding, Level } from '../../src/check/finding.ts';
import { runChecks } from '../../src/check/run.ts';
import { loadSettings } from '../../src/config/load.ts';
import { temporaryDirectory } from '../support/directory.ts';
import { type ProgramOutput, runProgram } from '../support/program.ts';

export type Env = Readonly<Record<string, string>>;

/** No port and no Kafka, so that each test adds its own. */
const DEFAULTS: Env = { TCP_HOST: '127.0.0.1', TCP_PORT: '0', HTTP_PORT: '', KAFKA_BROKERS: '' };

export class Findings {
  readonly all: readonly Finding[];

  constructor(all: readonly Finding[]) {
    this.all = all;
  }

  names(...levels: readonly Level[]): string[] {
    return this.all.filter(({ level }) => levels.includes(level)).map(({ name }) => name);
  }

  /** The only finding of this name. */
  one(name: string): Finding {
    const found = this.all.filter((finding) => finding.name === name);
    assert.equal(found.length, 1, `${name}: ${JSON.stringify(this.all, null, 1)}`);
    return found[0] as Finding;
  }

  has(name: string): boolean {
    return this.all.some((finding) => finding.name === name);
  }

  /** It is there at this level with this text. From a warning on it says why it matters and what to do. */
  expect(level: Level, name: string, what: RegExp): Finding {
    const finding = this.all.find((one) => one.name === name && what.test(one.what));
    assert.ok(finding, `${name} ${what}: ${JSON.stringify(this.all, null, 1)}`);
    assert.equal(finding.level, level, name);
    if (level === 'warning' || level === 'error') {
      assert.ok((finding.why ?? '').length > 10, `${name} has no why`);
      assert.ok((finding.remedy ?? '').length > 5, `${name} has no remedy`);
      assert.equal(finding.effect !== undefined, level === 'error', `${name}: effect`);
    }
    return finding;
  }
}

export function environmentFor(t: TestContext, env: Env = {}): Env {
  const directory = env.SPOOL_DIR === undefined ? { SPOOL_DIR: temporaryDirectory(t) } : {};
  return { ...DEFAULTS, ...directory, ...env };
}

export async function check(t: TestContext, env: Env = {}): Promise<Findings> {
  const loaded = loadSettings({ env: environmentFor(t, env) });
  assert.ok(loaded.ok, JSON.stringify(loaded));
  const placed = await runChecks(loaded);
  return new Findings(placed.map(({ finding }) => finding));
}

/** The program with `--json`. */
export async function checkProgram(
  t: TestContext,
  env: Env = {},
  args: readonly string[] = [],
): Promise<{ findings: Findings; code: number | null; text: string }> {
  const { code, out, err } = await runCheck(t, env, ['--json', ...args]);
  assert.equal(err, '');
  const { findings } = JSON.parse(out) as { findings: Finding[] };
  return { findings: new Findings(findings), code, text: out };
}

export function runCheck(t: TestContext, env: Env, args: readonly string[]): Promise<ProgramOutput> {
  const cwd = temporaryDirectory(t);
  return runProgram('src/main.js', ['check', ...args], { env: environmentFor(t, env), cwd });
}
