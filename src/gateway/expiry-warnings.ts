// Warns before a certificate expires: at the start, when the files change, and once a day. Only one process of the gateway
// does.
import { logExpiry } from '../check/expiry.ts';
import type { DeviceTls } from '../config/device-tls.ts';
import type { Settings } from '../config/settings.ts';
import type { Log } from '../log/log.ts';
import type { DeviceTlsFiles } from './device-tls-files.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

/** @returns a function that ends the warnings */
export function warnOfExpiry(
  settings: Settings,
  { files, log }: { files: DeviceTlsFiles | undefined; log: Log },
): () => void {
  const look = () => logExpiry(settings, { devices: files?.tls, log });
  look();
  files?.onChange(look);
  const timer = setInterval(look, DAY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** Until the first certificate of each file expires; negative after that. */
export function daysLeft({ validity }: DeviceTls, nowMs = Date.now()): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(validity).map(([file, { untilMs }]) => [file, (untilMs - nowMs) / DAY_MS]),
  );
}

/** The whole lifetime of these certificates. */
export function lifetimeDays({ validity }: DeviceTls): Readonly<Record<string, number>> {
  return Object.fromEntries(
    Object.entries(validity).map(([file, { lifetimeMs }]) => [file, lifetimeMs / DAY_MS]),
  );
}
