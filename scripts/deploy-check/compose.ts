// Part of `npm run deploy-check`: has the real `docker compose`, built from its Go module, read the Compose files with each
// .env file. No daemon is needed for that.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parse as parseDotenv } from 'dotenv';
import { SETTING_NAMES, type SettingName } from '../../src/config/settings.ts';
import { COMPOSE_FILES, ENV_FILES, REQUIRED } from './compose-files.ts';
import { composeModel, type Variables } from './compose-model.ts';
import { buildGoTool, type GoTool } from './go-tool.ts';
import type { CheckResult } from './result.ts';

/** The newest one that Go 1.26.8 can build. */
const COMPOSE: GoTool = {
  name: 'docker-compose',
  module: 'github.com/docker/compose/v5',
  version: 'v5.6.0',
  package: 'github.com/docker/compose/v5/cmd',
};

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

interface RealService {
  readonly environment?: Readonly<Record<string, string | null>>;
  readonly stop_grace_period?: string;
  readonly ports?: readonly { host_ip?: string; published?: string; target: number }[];
}

interface RealModel {
  readonly services: Readonly<Record<string, RealService>>;
}

type Answer =
  | { readonly ok: true; readonly model: RealModel }
  | { readonly ok: false; readonly said: string };

export async function checkCompose(): Promise<CheckResult> {
  const name = 'docker compose';
  const tool = buildGoTool(COMPOSE);
  if (!tool.ok) return { name, skipped: tool.reason, problems: [], lines: [] };
  const folder = mkdtempSync(join(tmpdir(), 'sluice-compose-'));
  try {
    const every = join(folder, 'every.env');
    writeFileSync(every, SETTING_NAMES.map(sampleLine).join(''));
    const nothing = join(folder, 'empty.env');
    writeFileSync(nothing, '');
    const problems: string[] = [];
    const lines: string[] = [];
    for (const file of COMPOSE_FILES) {
      for (const envFile of [nothing, ...ENV_FILES.map((one) => join(ROOT, one)), every]) {
        const about = `${file} with ${envFile.slice(envFile.lastIndexOf('/') + 1)}`;
        // The environment comes before the file.
        const given = { ...parseDotenv(readFileSync(envFile)), ...REQUIRED[file] };
        const answer = config(tool.path, { file, envFile, variables: REQUIRED[file] ?? {} });
        const found = answer.ok ? differences(answer.model, file, given) : [answer.said];
        problems.push(...found.map((problem) => `${about}: ${problem}`));
        if (found.length === 0) lines.push(`${about}: accepted, and as our own reading has it`);
      }
      for (const variable of Object.keys(REQUIRED[file] ?? {})) {
        const answer = config(tool.path, { file, envFile: nothing, variables: {} });
        if (answer.ok) problems.push(`${file} without ${variable}: accepted`);
        else if (!answer.said.includes(`${variable} is missing a value: set it to`))
          problems.push(`${file} without ${variable}: ${answer.said}`);
        else lines.push(`${file} without ${variable}: refused by name`);
      }
    }
    return { name, problems, lines };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Ports are different, so that they do not collide. Signs that Compose could take for a variable or a remark stay. */
function sampleLine(name: SettingName, index: number): string {
  return name.endsWith('_PORT') ? `${name}=${40_000 + index}\n` : `${name}='$HOME of ${name} #1'\n`;
}

interface Question {
  readonly file: string;
  readonly envFile: string;
  readonly variables: Variables;
}

function config(program: string, { file, envFile, variables }: Question): Answer {
  // Services of profiles are left out otherwise.
  const args = ['-f', file, '--env-file', envFile, '--profile', '*', 'config', '--format', 'json'];
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd: ROOT,
    encoding: 'utf8',
    env: { HOME: tmpdir(), ...variables },
    maxBuffer: 64 * 1024 * 1024,
  });
  // It warns of a variable that is not set and has no default: a slip in a name.
  if (status !== 0 || stderr !== '') return { ok: false, said: error?.message ?? stderr.trim() };
  return { ok: true, model: JSON.parse(stdout) as RealModel };
}

/** Places that Docker Compose reads in another way than compose-model.ts, on which the tests rely. */
function differences(real: RealModel, file: string, variables: Variables): string[] {
  const { services } = composeModel(join(ROOT, file), variables);
  const names = Object.keys(services).sort().join();
  const problems: string[] = [];
  if (Object.keys(real.services).sort().join() !== names)
    problems.push(`services ${Object.keys(real.services)}, not ${names}`);
  for (const [name, service] of Object.entries(services)) {
    const theirs = real.services[name];
    // Null = not given: Docker takes the name out of the container's environment. A $ is printed as in a Compose file.
    const environment = Object.entries(theirs?.environment ?? {}).flatMap(([key, value]) =>
      value === null ? [] : [[key, value.replaceAll('$$', '$')] as const],
    );
    problems.push(
      ...unequal(`${name}: environment`, Object.fromEntries(environment), service.environment ?? {}),
    );
    const ports = (theirs?.ports ?? []).map(
      ({ host_ip: host, published = '', target }) => `${host}:${published}:${target}`,
    );
    problems.push(
      ...unequal(`${name}: ports`, { ports: ports.join() }, { ports: (service.ports ?? []).join() }),
    );
  }
  return problems;
}

function unequal(
  what: string,
  real: Readonly<Record<string, unknown>>,
  own: Readonly<Record<string, unknown>>,
): string[] {
  return [...new Set([...Object.keys(real), ...Object.keys(own)])].flatMap((name) =>
    real[name] === own[name] ? [] : [`${what}: ${name} is ${real[name]}, not ${own[name]}`],
  );
}
