// The first bytes of a connection to the TLS port: whether a TLS handshake begins there, and whether its first message
// is complete. Until then the handshake costs neither memory nor time.
import { type ForeignProtocol, foreignProtocol } from '../protocol/foreign-protocol.ts';

export type Opening =
  /** More bytes are needed. */
  | 'more'
  /** The first message of a handshake is here. */
  | 'hello'
  /** A device speaks without TLS. */
  | 'plain'
  /** It begins like TLS, and is not. */
  | 'malformed'
  | { readonly protocol: ForeignProtocol };

// RFC 8446, 5.1: type, version (2 bytes), length (2 bytes), then a part of the message.
const HEADER_BYTES = 5;
const HANDSHAKE = 0x16;
const MAJOR_VERSION = 3;
// 4: the message has its type, its length (3 bytes) and the rest. It may be split among records.
const START_BYTES = 4;
const CLIENT_HELLO = 1;
const MAX_MESSAGE_BYTES = 16 * 1024;
/** With its header, if the message is in one record. */
const MAX_OPENING_BYTES = HEADER_BYTES + MAX_MESSAGE_BYTES;

export function judgeOpening(bytes: Buffer): Opening {
  if (bytes[0] === HANDSHAKE) {
    const opening = judgeRecords(bytes);
    return opening === 'more' && bytes.length >= MAX_OPENING_BYTES ? 'malformed' : opening;
  }
  const protocol = foreignProtocol(bytes);
  if (protocol === undefined) return 'plain';
  return protocol === 'undecided' ? 'more' : { protocol };
}

/** Of the message that is judged. */
const start = Buffer.alloc(START_BYTES);

function judgeRecords(bytes: Buffer): 'more' | 'hello' | 'malformed' {
  let messageBytes = 0;
  let at = 0;
  while (bytes.length > at + HEADER_BYTES) {
    const length = bytes.readUInt16BE(at + 3);
    const isRecord =
      bytes[at] === HANDSHAKE && bytes[at + 1] === MAJOR_VERSION && length > 0 && length <= MAX_MESSAGE_BYTES;
    if (!isRecord) return 'malformed';
    at += HEADER_BYTES;
    const partBytes = Math.min(length, bytes.length - at);
    for (let n = messageBytes; n < START_BYTES && n < messageBytes + partBytes; n++)
      start[n] = bytes[at + n - messageBytes] ?? 0;
    messageBytes += partBytes;
    if (start[0] !== CLIENT_HELLO) return 'malformed';
    const wanted = messageBytes < START_BYTES ? undefined : START_BYTES + start.readUIntBE(1, 3);
    if (wanted !== undefined && wanted > MAX_MESSAGE_BYTES) return 'malformed';
    if (partBytes < length) return 'more';
    if (wanted !== undefined && messageBytes >= wanted) return 'hello';
    at += length;
  }
  return 'more';
}
