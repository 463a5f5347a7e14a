// Device data and secrets are for their owner only. It changes no file that is there.

/** Takes the rights of others from every file that this process, and those that it starts, will make. */
export function keepFilesPrivate(): void {
  process.umask(0o077 | process.umask(0o077));
}
