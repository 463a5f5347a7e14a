// Puts the simulated modules under the gateway: from installHooks() on, whatever is imported of src and load gets the
// shims in place of Node's modules. Import those parts dynamically afterwards: static imports are resolved before.
import { register } from 'node:module';

let isInstalled = false;

/** A second call does nothing. It cannot be undone in this process. */
export function installHooks(): void {
  if (isInstalled) return;
  isInstalled = true;
  register('./shims/resolve.js', import.meta.url);
}
