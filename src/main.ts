#!/usr/bin/env node
// The program `sluice`: reads the command line and the settings, and runs what they ask for. It serves no device itself.
import { readFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { createApp } from './app.ts';
import { parseCommandLine } from './cli/command-line.ts';
import { keepYoungGenerationSmall } from './cli/heap.ts';
import { printConfig } from './cli/print-config.ts';
import { exitOnBugs, serve } from './cli/serve.ts';
import { settingsFrom } from './cli/spool/command.ts';
import { runSpool } from './cli/spool/run.ts';
import { environment, type LoadedSettings, loadSettings } from './config/load.ts';
import type { Settings } from './config/settings.ts';
import { fewerProcessesText, processesFor } from './config/shares.ts';
import { createLogger, type Logger } from './log/logger.ts';
import { Primary } from './processes/primary.ts';
import { runServerProcess } from './processes/server-process.ts';

/** sysexits.h EX_CONFIG: the settings are wrong, so a service manager must not start the program again. */
const EXIT_SETTINGS = 78;

await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<void> {
  // A reader that has gone (`| head`, a dead log collector) must not end the process.
  for (const stream of [process.stdout, process.stderr]) stream.on('error', () => {});
  // Without a listener, SIGUSR1 opens Node's inspector: code execution for any user of this machine.
  process.on('SIGUSR1', () => {});
  const version = packageVersion();
  const request = parseCommandLine(args, version);
  // exit() would lose text that is still in a pipe, so the functions below set exitCode.
  if (request.run === 'nothing') {
    process.exitCode = request.exitCode;
    return;
  }

  if (request.run === 'server-process') {
    keepYoungGenerationSmall();
    runServerProcess({ version, withLogger: exitOnBugs });
    return;
  }
  const overrides = request.run === 'spool' ? settingsFrom(request.command) : {};
  const loaded = loadSettings({ env: { ...environment(), ...overrides }, dotenvPath: '.env' });
  if (request.run === 'load') {
    // Imported on demand: a gateway must not carry the code of the load tool.
    const { load } = await import('../load/command/run.ts');
    process.exitCode = await load(request.options, loaded);
    return;
  }
  if (!loaded.ok) {
    process.stderr.write(refusal(loaded.problems));
    process.exitCode = EXIT_SETTINGS;
    return;
  }
  switch (request.run) {
    case 'print-config':
      process.stdout.write(printConfig(loaded));
      for (const warning of loaded.warnings) process.stderr.write(`warning: ${warning}\n`);
      return;
    case 'spool':
      process.exitCode = await runSpool(request.command, loaded.settings);
      return;
    case 'serve':
      return startGateway(loaded, version);
    default:
      // A new command must not compile until it is handled: without this line it would start the gateway.
      request.run satisfies never;
  }
}

async function startGateway({ settings, warnings }: LoadedSettings, version: string): Promise<void> {
  keepYoungGenerationSmall();
  const log = createLogger(settings);
  exitOnBugs(log);
  for (const warning of warnings) log.warn(warning);
  const processes = serverProcesses(settings, log);
  await serve(
    () =>
      processes === 1
        ? createApp(settings, { log, version })
        : new Primary(settings, { processes, log, version }),
    log,
  );
}

/** TCP_PROCESSES, or fewer if the buffer or the spool is too small to be divided among so many. */
function serverProcesses(settings: Settings, log: Logger): number {
  const asked = settings.TCP_PROCESSES || availableParallelism();
  const count = processesFor(settings, asked);
  const warning = fewerProcessesText(asked, count);
  if (warning !== undefined) log.warn({ asked, started: count.started, setting: count.limit?.name }, warning);
  return count.started;
}

function refusal(problems: readonly string[]): string {
  const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`;
  const lines = problems.map((problem) => `  ${problem}\n`).join('');
  return `sluice: ${count} in the settings, nothing was started\n${lines}All settings: docs/configuration.md\n`;
}

/** package.json is two levels above dist/src/main.js. */
function packageVersion(): string {
  const file = readFileSync(new URL('../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(file) as { version: string }).version;
}
