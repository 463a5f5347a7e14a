// Runs `sluice serve`: the gateway, one of its server processes, or --print-config. It wires the gateway to the process.
import type { Context } from './cli/command.ts';
import type { ServeWish } from './cli/serve-command.ts';

/** Resolves with the exit code, or with undefined once a gateway or server process is up. */
export async function runServe(
  { serverProcess, printConfig, stopWithParent }: ServeWish,
  { version }: Context,
): Promise<number | undefined> {
  if (serverProcess && process.send !== undefined) {
    const { startServerProcess } = await import('./start-gateway.ts');
    startServerProcess(version);
    return undefined;
  }
  const { load, withSettings } = await import('./cli/with-settings.ts');
  return withSettings(load(), async (loaded) => {
    if (printConfig) {
      const { runPrintConfig } = await import('./cli/print-config.ts');
      return runPrintConfig(loaded);
    }
    const { startGateway } = await import('./start-gateway.ts');
    const { npmParent } = await import('./cli/parent-watch.ts');
    const { environment } = await import('./config/environment.ts');
    const parent = stopWithParent ?? npmParent(environment());
    await startGateway(loaded, { load, parent, version });
    return undefined;
  });
}
