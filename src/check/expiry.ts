// Judges how long the certificates of the gateway are valid: those of the TLS port and those for Kafka. It reads the files
// for Kafka itself.
import type { DeviceTls } from '../config/device-tls.ts';
import { kafkaValidity } from '../config/kafka-tls.ts';
import type { Validity } from '../config/pem.ts';
import type { Settings } from '../config/settings.ts';
import { expiresSoon } from '../health/expiry-components.ts';
import type { Log } from '../log/log.ts';

const DAY_MS = 24 * 60 * 60 * 1000;

const VICTIMS: Readonly<Record<string, string>> = {
  TCP_TLS_CERT: 'devices that check it',
  TCP_TLS_CA: 'devices that it has signed',
  KAFKA_SSL_CERT: 'Sluice and brokers that check it',
  KAFKA_SSL_CA: 'Sluice and brokers whose certificate it has signed',
};

/** @param devices undefined without a TLS port */
export function logExpiry(
  settings: Settings,
  { devices, log }: { devices: DeviceTls | undefined; log: Log },
): void {
  for (const [setting, { untilMs, lifetimeMs }] of validities(settings, devices)) {
    const leftMs = untilMs - Date.now();
    const facts = { setting, days: Math.floor(leftMs / DAY_MS), expires: new Date(untilMs).toISOString() };
    if (leftMs <= 0) log.write('certificate_expired', { ...facts, victims: VICTIMS[setting] ?? '' });
    else if (expiresSoon(leftMs / DAY_MS, lifetimeMs / DAY_MS)) log.write('certificate_expires_soon', facts);
  }
}

/** By setting. */
export function validities(settings: Settings, devices: DeviceTls | undefined): [string, Validity][] {
  const ofPort = Object.entries<Validity>(devices?.validity ?? {}).map(
    ([file, validity]): [string, Validity] => [`TCP_TLS_${file.toUpperCase()}`, validity],
  );
  return [...ofPort, ...kafkaValidity(settings)];
}
