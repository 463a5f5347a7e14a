// The manner in which a connection speaks, which its port decides: the protocol of devices, or plain lines, to whose
// senders nothing is ever written. All else is the same for both: intake, pauses, deadlines, memory and end.
import type { PlainLines } from '../protocol/plain-lines.ts';
import type { RecordFrame } from '../protocol/record-frame.ts';
import { DeviceReplies, type Replies, type RepliesParts } from './device-replies.ts';
import type { Framer } from './framer.ts';
import { LineFramer } from './line-framer.ts';
import { OctetFramer } from './octet-framer.ts';
import { SilentReplies } from './silent-replies.ts';

export interface MannerOptions {
  readonly maxLineBytes: number;
  /** Until the device has identified. */
  readonly maxIdentifyBytes: number;
}

export interface Manner {
  /** Undefined for devices. */
  readonly plain: PlainLines | undefined;
  framer(options: MannerOptions): Framer;
  /** The frame of a connection that need not identify. */
  frameOf(connectionId: string, remoteAddress: string): RecordFrame | undefined;
  repliesOf(parts: RepliesParts): Replies;
}

export const DEVICE_MANNER: Manner = {
  plain: undefined,
  framer: ({ maxLineBytes, maxIdentifyBytes }) => new LineFramer(Math.min(maxIdentifyBytes, maxLineBytes)),
  frameOf: () => undefined,
  repliesOf: (parts) => new DeviceReplies(parts),
};

/** @param frameOf makes the frame of a connection */
export function plainManner(plain: PlainLines, frameOf: Manner['frameOf']): Manner {
  const isCounted = plain.options.framing === 'octet-counted';
  return {
    plain,
    framer: ({ maxLineBytes }) => (isCounted ? new OctetFramer(maxLineBytes) : new LineFramer(maxLineBytes)),
    frameOf,
    repliesOf: ({ source }) => new SilentReplies(source),
  };
}
