// The environment of this process. No other file reads it.

export function environment(): Readonly<Record<string, string | undefined>> {
  return process.env;
}
