// The hook that resolves Node's modules to shims for the files of the gateway and its devices, and those files of the
// gateway that need one of their own. Node runs it in a thread of its own, so it shares nothing
// with the world.
import type { ResolveHook } from 'node:module';

/** The modules of Node that have a shim, and its file. */
const SHIMS: Readonly<Record<string, string>> = {
  'node:child_process': './child-process.js',
  'node:crypto': './crypto.js',
  'node:dns/promises': './dns-promises.js',
  'node:fs': './fs.js',
  'node:fs/promises': './fs-promises.js',
  'node:net': './net.js',
  'node:os': './os.js',
  'node:timers/promises': './timers-promises.js',
  'node:zlib': './zlib.js',
};

/** Below the compiled program. Files of the simulation import a shim by its path if they want it. */
const SIMULATED = ['src/', 'load/devices/'].map((folder) => new URL(`../../${folder}`, import.meta.url).href);

/**
 * Files with an object of which each process has one (per-process.ts), the one that calls the C library, and the one that
 * asks Node for a module past this hook.
 */
const OWN_FILES = new Map(
  [
    'server/slabs.js',
    'server/record-turns.js',
    'kafka/batches/buffer-pool.js',
    'kafka/batches/late-zlib.js',
    'disk/flock.js',
  ].map((file) => [
    new URL(`../../src/${file}`, import.meta.url).href,
    new URL(file.replace(/^.*\//, './'), import.meta.url).href,
  ]),
);

export const resolve: ResolveHook = async (specifier, context, next) => {
  const { parentURL = '' } = context;
  if (!SIMULATED.some((folder) => parentURL.startsWith(folder))) return next(specifier, context);
  const shim = SHIMS[specifier];
  if (shim !== undefined) return { url: new URL(shim, import.meta.url).href, shortCircuit: true };
  const resolved = await next(specifier, context);
  const own = OWN_FILES.get(resolved.url);
  return own === undefined ? resolved : { ...resolved, url: own };
};
