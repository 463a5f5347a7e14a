// The device_id that a device's certificate fixes. Only certificates that TLS has verified come here.
import type { TLSSocket } from 'node:tls';
import type { SubjectPart } from '../config/settings.ts';
import { isDeviceId } from '../protocol/messages.ts';

/** Null if the subject does not have this part exactly once, or if it is not a device_id. */
export function certifiedId(socket: TLSSocket, part: SubjectPart): string | null {
  const subject: Partial<Record<string, unknown>> | undefined = socket.getPeerCertificate().subject;
  const value = subject?.[part];
  return typeof value === 'string' && isDeviceId(value) ? value : null;
}
