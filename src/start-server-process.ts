// Starts this process as one of several server processes. The first process has forked it.
import { compileEarly } from './cli/early-compiling.ts';
import { keepYoungGenerationSmall } from './cli/heap.ts';
import { exitOnBugs } from './cli/serve.ts';
import { keepNativePackagesSmall } from './config/environment.ts';
import { packageVersion } from './config/package-version.ts';
import { runServerProcess } from './processes/server-process.ts';

export function startServerProcess(): void {
  keepYoungGenerationSmall();
  keepNativePackagesSmall();
  compileEarly();
  runServerProcess({ version: packageVersion(), withLogger: exitOnBugs });
}
