// Runs `sluice serve`: the gateway, or --print-config. It wires the gateway to the process.
import type { ProgramOptions } from './cli/serve-command.ts';
import { load, withSettings } from './cli/with-settings.ts';
import { packageVersion } from './config/package-version.ts';

/** Resolves with the exit code, or with undefined once a gateway is up. */
export function runServe({ printConfig, stopWithParent }: ProgramOptions): Promise<number | undefined> {
  return withSettings(load(), async (loaded) => {
    if (printConfig) {
      const { runPrintConfig } = await import('./cli/print-config.ts');
      return runPrintConfig(loaded);
    }
    const { startGateway } = await import('./start-gateway.ts');
    const { npmParent } = await import('./cli/parent-watch.ts');
    const { environment } = await import('./config/environment.ts');
    const parent = stopWithParent ?? npmParent(environment());
    await startGateway(loaded, { load, parent, version: packageVersion() });
    return undefined;
  });
}
