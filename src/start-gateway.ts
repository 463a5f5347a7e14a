// Starts a gateway in this process, alone or as the first of several server processes.
import { reloader } from './cli/reload.ts';
import { exitOnBugs, serve } from './cli/serve.ts';
import { tuneProcess } from './cli/tune-process.ts';
import type { Loaded, LoadedSettings } from './config/load.ts';
import { createLogger } from './log/logger.ts';
import { serverProcesses } from './start/server-processes.ts';

interface StartOptions {
  readonly load: () => Loaded;
  readonly parent: number | undefined;
  readonly version: string;
}

export async function startGateway(
  loaded: LoadedSettings,
  { load, parent, version }: StartOptions,
): Promise<void> {
  const { settings, warnings, foreignNames } = loaded;
  tuneProcess();
  const log = createLogger(settings);
  exitOnBugs(log);
  for (const warning of warnings) log.write('setting_warned', { warning });
  if (foreignNames.length > 0) log.write('foreign_names_passed', { names: foreignNames });
  const processes = serverProcesses(settings, log);
  await serve({
    // The first of several processes needs no code that serves devices.
    create: async (askDrain) => {
      const options = { log, version, askDrain };
      if (processes === 1) return (await import('./app.ts')).createApp(settings, options);
      const { createPrimary } = await import('./processes/primary.ts');
      return createPrimary(settings, { ...options, processes });
    },
    reload: reloader({ started: loaded, load, log }),
    parent,
    log,
  });
}
