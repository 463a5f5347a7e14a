// The environment of this process. No other file reads or changes it.

export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}

/**
 * Sets how the packages in native code get memory (mimalloc is in each of them). By default each takes 32 MiB at once, of
 * which the kernel makes a huge page, 2 MB, resident. Call it before they are loaded.
 */
export function keepNativePackagesSmall(): void {
  process.env.MIMALLOC_EAGER_COMMIT ??= '0';
}
