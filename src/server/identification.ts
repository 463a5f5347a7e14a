// Judges an identify line: which device it is and the frame of its records, or why it may not identify. It changes nothing.
import { type Identify, missingText } from '../protocol/messages.ts';
import { RecordFrame } from '../protocol/record-frame.ts';
import type { Refusal } from '../queue/job.ts';
import type { Grant } from '../tokens/token-table.ts';
import type { ConnectionHost } from './connection-host.ts';
import type { Denial } from './device-access.ts';

export interface Identifying {
  readonly connectionId: string;
  readonly remoteAddress: string;
  /** The device_id that the certificate of the connection fixes, if any. */
  readonly certifiedId: string | undefined;
}

export type Identification =
  | {
      readonly frame: RecordFrame;
      readonly deviceId: string | undefined;
      /** Undefined if no token was needed. */
      readonly grant: Grant | undefined;
    }
  /** The line is refused, and the device may try again. */
  | { readonly refusal: Refusal }
  /** The device may not identify so, and its connection ends. */
  | { readonly denial: Denial };

export function judgeIdentify(
  message: Identify,
  host: Pick<ConnectionHost<never>, 'options' | 'authorize'>,
  { certifiedId, ...peer }: Identifying,
): Identification {
  const { options } = host;
  const hasId = message.device_id !== undefined || certifiedId !== undefined;
  if (options.requiresDeviceId === true && !hasId) return invalid(missingText('device_id'));
  const answer = host.authorize(message, certifiedId);
  if ('reason' in answer) return { denial: answer };
  const { deviceId, grant } = answer;
  if (message.resume === true && deviceId === undefined) return invalid("field 'resume': needs a device_id");
  const { zipcode, city, tags } = message;
  const device = { ...peer, zipcode, city, deviceId, tags };
  const frame = options.frameOf?.(device) ?? new RecordFrame({ ...device, tags: tags?.text });
  return { frame, deviceId, grant };
}

function invalid(message: string): Identification {
  return { refusal: { code: 'invalid_message', message } };
}
