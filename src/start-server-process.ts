// Starts this process as one of several server processes. The first process has forked it.
import { exitOnBugs } from './cli/serve.ts';
import { tuneProcess } from './cli/tune-process.ts';
import { packageVersion } from './config/package-version.ts';
import { runServerProcess } from './processes/server-process.ts';

export function startServerProcess(): void {
  tuneProcess();
  runServerProcess({ version: packageVersion(), withLogger: exitOnBugs });
}
