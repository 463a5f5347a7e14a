// Starts a gateway in this process, alone or as the first of several server processes.
import { createApp } from './app.ts';
import { keepYoungGenerationSmall } from './cli/heap.ts';
import { reloader } from './cli/reload.ts';
import { exitOnBugs, serve } from './cli/serve.ts';
import type { Loaded, LoadedSettings } from './config/load.ts';
import { createLogger } from './log/logger.ts';
import { createPrimary } from './processes/primary.ts';
import { runServerProcess } from './processes/server-process.ts';
import { serverProcesses } from './start/server-processes.ts';

interface StartOptions {
  readonly load: () => Loaded;
  readonly parent: number | undefined;
  readonly version: string;
}

export function startServerProcess(version: string): void {
  keepYoungGenerationSmall();
  runServerProcess({ version, withLogger: exitOnBugs });
}

export async function startGateway(
  loaded: LoadedSettings,
  { load, parent, version }: StartOptions,
): Promise<void> {
  const { settings, warnings, foreignNames } = loaded;
  keepYoungGenerationSmall();
  const log = createLogger(settings);
  exitOnBugs(log);
  for (const warning of warnings) log.write('setting_warned', { warning });
  if (foreignNames.length > 0) log.write('foreign_names_passed', { names: foreignNames });
  const processes = serverProcesses(settings, log);
  await serve({
    create: (askDrain) =>
      processes === 1
        ? createApp(settings, { log, version, askDrain })
        : createPrimary(settings, { processes, log, version, askDrain }),
    reload: reloader({ started: loaded, load, log }),
    parent,
    log,
  });
}
