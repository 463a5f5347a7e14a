// Sets up V8 and the packages in native code for a process that serves devices or leads those that do.
import { keepNativePackagesSmall } from '../config/environment.ts';
import { compileEarly } from './early-compiling.ts';
import { keepYoungGenerationSmall } from './heap.ts';

/** Call it when the modules are loaded, before the packages in native code are and before the first devices connect. */
export function tuneProcess(): void {
  keepYoungGenerationSmall();
  keepNativePackagesSmall();
  compileEarly();
}
