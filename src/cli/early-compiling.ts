// Has V8 of Node 20 optimise the code of the gateway sooner. By default code that runs fifty times a second, once for each
// window of reads, becomes hot only after a minute or more (docs/decisions/0080). Later versions do not wait so long.
import { setFlagsFromString } from 'node:v8';

/** Of executed bytecode, until V8 looks again whether a function is hot. The default is 67,584. */
const BUDGET_BYTES = 30_000;

/** Call it when the modules are loaded: code that runs only at the start must not be optimised. */
export function compileEarly(): void {
  const isOfNode20 = Number.parseInt(process.versions.v8, 10) < 12;
  // V8 prints an error for an option that it does not have.
  if (isOfNode20) setFlagsFromString(`--interrupt-budget=${BUDGET_BYTES}`);
}
