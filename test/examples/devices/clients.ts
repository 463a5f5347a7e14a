// The device clients of examples/devices, and how each is built. DEVICE_CLIENTS=python,go chooses some of them.
import { execFileSync, spawnSync } from 'node:child_process';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { GO_BUILD, GO_ENV } from '../../../scripts/deploy-check/go-tool.ts';
import { hasProgram, skipLoudly, skipWithoutTool } from '../../support/missing-tool.ts';

// From dist/test/examples/devices.
const ROOT = fileURLToPath(new URL('../../../../', import.meta.url));
const BUILD_TIMEOUT_MS = 180_000;

export interface DeviceClient {
  readonly name: string;
  /** In examples/devices. */
  readonly file: string;
  /** It knows SLUICE_CA. */
  readonly speaksTls: boolean;
  /** Its file has the lines that examples/devices/README.md describes, so tests can read it. */
  readonly keepsLines: boolean;
  /** Programs that it needs, and how Debian installs them. */
  readonly needs: readonly string[];
  readonly onDebian: string;
  /** A header that it includes, and a compiler alone does not bring. */
  readonly header?: string;
  /** CI does without it. */
  readonly isOptional?: boolean;
  /** @param source its file @param directory for what is compiled @returns how to start it */
  readonly build: (source: string, directory: string) => readonly string[];
}

const runsTypeScript = 'typescript' in process.features && Boolean(process.features.typescript);
const PYTHON = process.env.SLUICE_TEST_PYTHON ?? 'python3';

/** A warning is an error, so that a new compiler does not find faults that nobody sees. */
const C_FLAGS = ['-std=c11', '-O2', '-Wall', '-Wextra', '-Werror'];

const ALL: readonly DeviceClient[] = [
  {
    name: 'typescript',
    file: 'device.ts',
    speaksTls: true,
    keepsLines: true,
    needs: [],
    onDebian: 'nodejs',
    // Older versions of Node do not run TypeScript.
    build: (source) => [
      process.execPath,
      runsTypeScript ? source : join(ROOT, 'dist/examples/devices/device.js'),
    ],
  },
  {
    name: 'python',
    file: 'device.py',
    speaksTls: true,
    keepsLines: true,
    needs: [PYTHON],
    onDebian: 'python3',
    build: (source) => [PYTHON, source],
  },
  {
    name: 'go',
    file: 'device.go',
    speaksTls: true,
    keepsLines: true,
    needs: ['go'],
    isOptional: true,
    onDebian: 'golang-go',
    build: (source, directory) => {
      const program = join(directory, 'device-go');
      // A newer Go compiles its library on first use, which the flags make quick, and which Helm's build needs, too.
      compile('go', [...GO_BUILD, '-o', program, source], { GOTOOLCHAIN: 'local', GOFLAGS: '', ...GO_ENV });
      return [program];
    },
  },
  {
    name: 'c',
    file: 'device.c',
    speaksTls: true,
    keepsLines: true,
    needs: ['cc'],
    onDebian: 'gcc libc6-dev libssl-dev',
    header: 'openssl/ssl.h',
    build: (source, directory) => {
      const program = join(directory, 'device-c');
      compile('cc', [...C_FLAGS, '-o', program, source, '-lssl', '-lcrypto']);
      return [program];
    },
  },
  {
    name: 'shell',
    file: 'device.sh',
    speaksTls: true,
    keepsLines: true,
    needs: ['bash', 'nc', 'openssl'],
    onDebian: 'bash netcat-openbsd openssl',
    build: (source) => ['bash', source],
  },
  {
    name: 'microcontroller',
    file: 'microcontroller.c',
    speaksTls: false,
    keepsLines: false,
    needs: ['cc'],
    onDebian: 'gcc libc6-dev',
    header: 'stdio.h',
    build: (source, directory) => {
      const program = join(directory, 'device-microcontroller');
      compile('cc', [...C_FLAGS, '-o', program, source]);
      return [program];
    },
  },
];

const chosen = process.env.DEVICE_CLIENTS?.split(',');

export const CLIENTS = ALL.filter(({ name }) => chosen?.includes(name) ?? true);

/** A program or a header that the client needs and that is not here. */
export function missingFor({ needs, header }: DeviceClient): string | undefined {
  return (
    needs.find((program) => !hasProgram(program)) ??
    (header !== undefined && !hasHeader(header) ? header : undefined)
  );
}

/** True if a program is missing that the client needs. The test is skipped then. */
export function isSkipped(t: TestContext, client: DeviceClient): boolean {
  const missing = missingFor(client);
  if (missing === undefined) return false;
  const why = `${missing} is missing (on Debian: apt-get install ${client.onDebian})`;
  if (client.isOptional) skipLoudly(t, why);
  else skipWithoutTool(t, why);
  return true;
}

function hasHeader(header: string): boolean {
  return spawnSync('cc', ['-E', '-'], { input: `#include <${header}>\n` }).status === 0;
}

/** How to start the client. Compiles it if need be. */
export function commandOf(client: DeviceClient, directory: string): readonly string[] {
  return client.build(join(ROOT, 'examples/devices', client.file), directory);
}

/** For clients that a compiler makes. Throws with the compiler's words. */
export function compile(program: string, args: readonly string[], env: NodeJS.ProcessEnv = {}): void {
  execFileSync(program, args, {
    stdio: ['ignore', 'ignore', 'pipe'],
    timeout: BUILD_TIMEOUT_MS,
    env: { ...process.env, ...env },
  });
}
